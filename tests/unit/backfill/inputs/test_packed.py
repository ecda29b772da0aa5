"""Packed inputs: how they are told, unpacked, bounded, and what becomes of damaged ones."""

from __future__ import annotations

import bz2
import gzip
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from sluice.backfill.inputs.packed import file_input
from sluice.backfill.inputs.unpacking import Unpacking
from sluice.backfill.run.stop import Stop, Stopped
from sluice.backfill.source import open_source
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import input_file, opened, plan, read, texts
from tests.unit.backfill.wording import told

Pack = Callable[[bytes], bytes]
CSV = b"id,text\n1,one\n2,two\n"
PHOTO = b"\xff\xd8\xff\xe0" + bytes(99)
#: Packed, it takes many reads.
LONG = b"id,text\n" + b"".join(b"%d,number %d\n" % (at, at * at % 9973) for at in range(60_000))


def zst(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packer:
        packer.write(data)
    return bytes(out.getvalue().to_pybytes())


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


PACKERS = [gzip.compress, bz2.compress, zst, lambda data: zipped({"a.csv": data})]
packers = pytest.mark.parametrize("pack", PACKERS, ids=["gz", "bz2", "zst", "zip"])
streams = pytest.mark.parametrize("pack", PACKERS[:3], ids=["gz", "bz2", "zst"])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    # A name that says nothing, for content decides.
    return tmp_path / "archive.dat"


@packers
def test_packed_files_are_told_by_their_content(tmp_path: Path, archive: Path, pack: Pack) -> None:
    archive.write_bytes(pack(CSV))
    assert texts(tmp_path, archive) == ["one", "two"]


@streams
def test_several_packed_pieces_are_one_file(tmp_path: Path, archive: Path, pack: Pack) -> None:
    archive.write_bytes(pack(CSV) + pack(b"3,three\n"))
    assert texts(tmp_path, archive) == ["one", "two", "three"]


@streams
def test_packed_in_a_zip(tmp_path: Path, archive: Path, pack: Pack) -> None:
    archive.write_bytes(zipped({"a.csv": pack(CSV)}))
    assert texts(tmp_path, archive) == ["one", "two"]


def test_packed_twice(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(gzip.compress(bz2.compress(CSV)))
    assert texts(tmp_path, archive) == ["one", "two"]


def test_packed_three_times_is_too_much(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(gzip.compress(gzip.compress(gzip.compress(CSV))))
    with pytest.raises(UnreadableArchive, match="packed more often"):
        read(tmp_path, archive)


@packers
def test_a_file_that_is_cut_off_at_once_is_an_error(tmp_path: Path, archive: Path, pack: Pack) -> None:
    archive.write_bytes(pack(LONG)[:20])
    with pytest.raises(UnreadableArchive, match=r"archive\.dat .*damaged"):
        read(tmp_path, archive)


def test_a_zip_that_is_cut_off_is_an_error(tmp_path: Path, archive: Path) -> None:
    packed = zipped({"a.csv": LONG})
    for size in (len(packed) // 2, len(packed) - 3):
        archive.write_bytes(packed[:size])
        with pytest.raises(UnreadableArchive, match=r"archive\.dat .*damaged"):
            read(tmp_path, archive)


@streams
def test_what_a_cut_off_file_still_holds_is_read_and_the_rest_is_an_error_in_its_place(
    tmp_path: Path, archive: Path, pack: Pack
) -> None:
    packed = pack(LONG)
    archive.write_bytes(packed[:-3])
    *rows, last = read(tmp_path, archive)
    assert last.text is None
    assert last.problem is not None
    found = re.search(r"([\d,]+) bytes of it could be read", last.problem)
    assert found is not None
    assert 0 < int(found[1].replace(",", "")) <= len(LONG)
    whole = [line.split(",")[1] for line in LONG.decode().splitlines()[1:]]
    assert [row.text for row in rows[:-1]] == whole[: len(rows) - 1]  # the very last one may be cut itself


@pytest.mark.parametrize("pack", [gzip.compress, zst], ids=["gz", "zst"])
def test_half_a_file_gives_about_half_of_its_rows(tmp_path: Path, archive: Path, pack: Pack) -> None:
    packed = pack(LONG)
    archive.write_bytes(packed[: len(packed) // 2])
    *rows, last = read(tmp_path, archive)
    assert "bytes of it could be read" in str(last.problem)
    assert len(rows) > 15_000


def test_bytes_behind_the_end_are_an_error_that_does_not_show_them(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(gzip.compress(CSV) + bytes(512))
    assert texts(tmp_path, archive) == ["one", "two"]
    archive.write_bytes(gzip.compress(CSV) + b"secret")
    *good, last = read(tmp_path, archive)
    assert [row.text for row in good] == ["one", "two"]
    assert last.problem is not None
    assert "not gzip data" in last.problem
    assert "b'" not in last.problem


def test_a_wrong_checksum_is_an_error_behind_the_rows(tmp_path: Path, archive: Path) -> None:
    packed = bytearray(gzip.compress(LONG))
    packed[-8] ^= 1
    archive.write_bytes(packed)
    *good, last = read(tmp_path, archive)
    assert len(good) == 60_000
    assert last.problem is not None
    assert "damaged" in last.problem


def test_a_damaged_input_does_not_keep_the_next_one_from_being_read(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(gzip.compress(LONG)[:-3])
    other = tmp_path / "other.csv"
    other.write_bytes(CSV)
    with opened(tmp_path, archive, other) as source:
        assert [row.text for row in source.rows()][-2:] == ["one", "two"]
        assert source.position == source.size


def test_members_of_a_zip_are_read_by_name_and_others_are_noted(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(
        zipped(
            {
                "b.csv": b"text\nsecond\n",
                "a/": b"",
                "a/z.jsonl": b'{"text":"first"}\n',
                "photo.jpg": PHOTO,
                "__MACOSX/a.csv": b"text\nno\n",
                "a/.hidden.csv": b"text\nno\n",
            }
        )
    )
    with opened(tmp_path, archive) as source:
        assert [row.text for row in source.rows()] == ["first", "second"]
        assert told(source.notes) == [f"skipped 1 file that holds no messages: {archive}!photo.jpg"]
        assert source.format == "jsonl, csv"
        assert source.position == source.size
        assert [entry["name"] for entry in source.fingerprint] == [str(archive)]


def test_a_zip_in_a_zip_is_not_said_to_hold_no_messages(tmp_path: Path, archive: Path) -> None:
    inner = zipped({"in.csv": CSV})
    archive.write_bytes(zipped({"a.csv": CSV, "b.zip": inner, "c.zip.gz": gzip.compress(inner), "d.jpg": PHOTO}))
    with opened(tmp_path, archive) as source:
        assert len(list(source.rows())) == 2
        assert told(source.notes) == [
            f"skipped 1 file that holds no messages: {archive}!d.jpg",
            f"did not look into 2 ZIP files inside other packed files: {archive}!b.zip, {archive}!c.zip.gz",
        ]
    archive.write_bytes(zipped({"b.zip": inner}))
    with pytest.raises(UnreadableArchive, match="unpack the ZIP files in it first"):
        read(tmp_path, archive)


def test_a_member_without_a_name_is_read(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(zipped({"@.csv": CSV}).replace(b"@.csv", b"\0.csv"))  # a name ends at a zero
    assert texts(tmp_path, archive) == ["one", "two"]


def test_a_member_whose_checksum_does_not_fit_gives_nearly_all_of_its_rows(tmp_path: Path, archive: Path) -> None:
    some = LONG[:200_000]
    packed = bytearray(zipped({"a.csv": some}))
    packed[14] ^= 1  # the checksum, in both places where it stands
    packed[packed.rfind(b"PK\x01\x02") + 16] ^= 1
    archive.write_bytes(packed)
    *rows, last = read(tmp_path, archive)
    assert "a checksum that does not fit" in str(last.problem)
    assert len(rows) > some.count(b"\n") * 9 // 10


def test_a_zip_without_messages_is_an_error(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(zipped({"photo.jpg": PHOTO}))
    with pytest.raises(UnreadableArchive, match="none of the 1 files"):
        read(tmp_path, archive)
    archive.write_bytes(zipped({"xl/workbook.xml": b"<workbook/>"}))
    with pytest.raises(UnreadableArchive, match="Excel"):
        read(tmp_path, archive)


def test_an_encrypted_zip_is_an_error(tmp_path: Path, archive: Path) -> None:
    packed = bytearray(zipped({"a.csv": CSV}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(mark) + offset] |= 1
    archive.write_bytes(packed)
    with pytest.raises(UnreadableArchive, match="encrypted"):
        read(tmp_path, archive)


@packers
def test_the_limit_bounds_what_all_inputs_unpack_to(tmp_path: Path, pack: Pack) -> None:
    paths = []
    for at in range(3):
        paths.append(tmp_path / f"{at}.dat")
        paths[-1].write_bytes(pack(LONG))
    limit = 3 * len(LONG)
    with open_source(plan(tmp_path, *paths, max_unpacked_bytes=limit), Stop()) as source:
        # Reading a second time takes nothing from the limit.
        assert len(list(source.rows())) == len(list(source.rows())) == 180_000
    with (
        pytest.raises(UnreadableArchive, match=f"may have {limit - 1:,} bytes"),
        open_source(plan(tmp_path, *paths, max_unpacked_bytes=limit - 1), Stop()) as source,
    ):
        list(source.rows())


def test_what_must_be_a_file_is_unpacked_into_the_folder_only_if_it_is_packed(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(CSV)
    assert input_file(tmp_path, plain).local_path() == plain
    assert not (tmp_path / "run").exists()
    packed = input_file(tmp_path, gzip.compress(CSV))
    assert packed.local_path().parent == tmp_path / "run"
    assert packed.local_path().read_bytes() == CSV
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_positions_are_of_the_packed_file(tmp_path: Path) -> None:
    packed = gzip.compress(LONG)
    found = input_file(tmp_path, packed)
    with found.open() as stream:
        before = found.position
        stream.read()
    assert before < found.position == found.size == len(packed)
    found.report(0.5)
    assert found.position == len(packed) // 2


def test_a_stop_ends_the_survey(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(gzip.compress(LONG))

    def stop() -> None:
        raise Stopped(130)

    found = file_input(archive, "a", 1, Unpacking(tmp_path, 0, stop))
    with pytest.raises(Stopped):
        found.local_path()


def test_the_format_given_is_taken_for_every_input(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(b'{"id":1},text\n1,one\n')
    assert texts(tmp_path, archive, format="csv") == ["one"]
    with pytest.raises(UnreadableArchive, match="no JSON object"):
        read(tmp_path, archive, format="jsonl")


def test_dots_in_the_names_of_members_hide_nothing_and_lead_nowhere(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(zipped({"./a.csv": CSV, "../b.csv": CSV, "/c.csv": CSV}))
    assert texts(tmp_path, archive) == ["one", "two"] * 3


def test_names_of_members_are_shown_without_what_changes_a_terminal(tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(zipped({"\x1b[2J\n" + "x" * 1_000 + ".csv": b"id,name\n1,2\n" * 9}))
    with pytest.raises(UnreadableArchive) as caught:
        opened(tmp_path, archive)
    assert "xx.csv is called" in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


def test_a_member_whose_headers_differ_is_an_error_that_shows_nothing(tmp_path: Path, archive: Path) -> None:
    packed = zipped({"secret.csv": CSV})
    archive.write_bytes(packed.replace(b"secret.csv", b"hidden.csv", 1))
    with pytest.raises(UnreadableArchive, match="two headers have different names") as caught:
        opened(tmp_path, archive)
    assert "hidden" not in caught.value.message
