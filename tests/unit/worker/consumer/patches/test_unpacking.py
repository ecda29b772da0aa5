"""Compressed bodies: read as kombu packs them, refused where they stand for more than the limit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kombu import compression

from sluice.tasks.errors import InvalidInput
from sluice.worker.consumer.patches import unpacking

KINDS = tuple(unpacking.BOUNDED)


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = dict(compression._decoders)
    unpacking.install()
    yield
    compression._decoders.clear()
    compression._decoders.update(before)


@pytest.mark.parametrize("kind", [*KINDS, "gzip", "bzip2", "xz"])
def test_what_kombu_packs_is_read(kind: str) -> None:
    packed, _ = compression.compress(b'[["see you at eight"], {}, {}]', kind)
    assert compression.decompress(packed, kind) == b'[["see you at eight"], {}, {}]'


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_the_limit_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_BYTES", 10_000_000)
    fits, _ = compression.compress(b" " * 10_000_000, kind)
    assert len(compression.decompress(fits, kind)) == 10_000_000
    packed, _ = compression.compress(b" " * 10_000_001, kind)
    with pytest.raises(InvalidInput, match="more than the limit of 10000000 bytes"):
        compression.decompress(packed, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_cut_off_is_refused(kind: str) -> None:
    packed, _ = compression.compress(bytes(range(256)) * 9, kind)
    with pytest.raises(InvalidInput, match="ends too early"):
        compression.decompress(packed[:-9], kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"none of it", b"", b"\xff" * 40])
def test_a_body_of_another_kind_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(InvalidInput, match="compressed body"):
        compression.decompress(body, kind)


def test_what_cannot_be_bounded_is_not_unpacked() -> None:
    compression.register(lambda body: body, lambda body: body, "application/x-endless")
    unpacking.install()
    with pytest.raises(KeyError):
        compression.decompress(b"", "application/x-endless")
