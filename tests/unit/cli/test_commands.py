"""``sluice predict`` and ``sluice backfill`` against a real worker."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
from pathlib import Path

import pytest

from sluice.cli.processes import environment, sluice
from sluice.config.settings import Settings
from sluice.harness.process import wait_for
from tests.unit.cli.conftest import MODEL, Run

ROWS = 2_000


@pytest.fixture
def env(service: Settings) -> dict[str, str]:
    return {"SLUICE_STATE_DIR": str(service.state_dir)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        for number in range(ROWS):
            text = "" if number % 500 == 7 else f"message {number}, ฉบับที่\n{number}"
            writer.writerow([number, "POISON pill" if number % 500 == 9 else text, "given"])
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_predict_prints_a_line_a_text(run: Run, env: dict[str, str]) -> None:
    done = run("predict", "hello", "สวัสดี ครับ", **env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" ms  ")[1] for line in lines] == ["hello", "สวัสดี ครับ"]
    assert {line.split()[0] for line in lines} <= {"ham", "spam", "phishing"}


def test_predict_json_from_stdin(run: Run, env: dict[str, str]) -> None:
    texts = [f"line {number}" for number in range(600)]
    done = run("predict", "--json", "-", stdin="\n".join(texts), **env)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["text"] for one in answers] == texts
    assert all(0 <= one["probability"] <= 1 and one["ms"] > 0 for one in answers)


def test_a_text_without_a_label_is_status_1(run: Run, env: dict[str, str]) -> None:
    done = run("predict", "fine", "", "POISON", **env)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()][1:] == ["invalid_input", "model_failed"]


def test_predict_agrees_with_itself_alone_and_in_company(run: Run, env: dict[str, str]) -> None:
    alone = json.loads(run("predict", "--json", "the same text", **env).stdout)
    together = run("predict", "--json", "another", "the same text", "x", **env).stdout.splitlines()
    assert json.loads(together[1])["label"] == alone["label"]


def test_predict_shows_every_label_s_probability(run: Run, env: dict[str, str]) -> None:
    (answer,) = (json.loads(line) for line in run("predict", "--json", "--scores", "hello", **env).stdout.splitlines())
    assert answer["scores"][answer["label"]] == answer["probability"]
    (line,) = run("predict", "--scores", "hello", **env).stdout.splitlines()
    assert all(f"{label} {share:.3f}" in line for label, share in answer["scores"].items())
    assert line.endswith("hello")


def test_predict_needs_no_service_where_the_model_is_its_own(run: Run, env: dict[str, str]) -> None:
    texts = ["hello", "", "POISON", "สวัสดี", "x" * 6_000, "the same text"]
    done = run("predict", "--local", "--json", "--scores", *texts)
    assert done.returncode == 1
    assert not done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["text"] for one in answers] == texts
    codes = [one.get("error", {}).get("code") for one in answers]
    assert codes == [None, "invalid_input", "model_failed", None, "invalid_input", None]
    assert answers[0]["scores"][answers[0]["label"]] == answers[0]["probability"]
    served = [json.loads(line) for line in run("predict", "--json", "hello", "สวัสดี", **env).stdout.splitlines()]
    assert [one["label"] for one in served] == [answers[0]["label"], answers[3]["label"]]
    said = run("predict", "hello")
    assert said.returncode == 1
    assert "--local" in said.stderr


@pytest.mark.parametrize("arguments", [["--local"], ["--local", "-"], []])
def test_predict_without_a_text_reads_lines(run: Run, env: dict[str, str], arguments: list[str]) -> None:
    texts = [f"line {number}" for number in range(600)]
    done = run("predict", "--json", *arguments, stdin="\n".join(texts), **({} if arguments else env))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == texts
    assert run("predict", *arguments, stdin="", **({} if arguments else env)).stdout == ""


def test_a_line_is_answered_before_the_next_one_comes(run: Run, state_dir: Path, tmp_path: Path) -> None:
    command = sluice("predict", "--local", "--json")
    env = environment(SLUICE_STATE_DIR=str(state_dir), SLUICE_MODEL=MODEL)
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=env, cwd=tmp_path, text=True) as child:
        assert child.stdin
        assert child.stdout
        for text in ("first", "second"):
            child.stdin.write(f"{text}\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["text"] == text
        child.stdin.close()
        assert child.wait(30) == 0


def test_bytes_that_are_no_text_are_classified_as_what_a_terminal_shows(run: Run, env: dict[str, str]) -> None:
    done = run("predict", "--json", "caf\udce9", **env)
    assert json.loads(done.stdout)["text"] == "caf\ufffd"


def test_backfill(run: Run, env: dict[str, str], source: Path, tmp_path: Path) -> None:
    done = run("backfill", "in.csv", "-o", "out.csv", **env)
    assert done.returncode == 0, done.stderr
    before, after = table(source), table(tmp_path / "out.csv")
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert [row["text"] for row in after] == [row["text"] for row in before]
    assert {row["label"] for row in after} == {"given"}
    for number, row in enumerate(after):
        kind = {7: "invalid_input", 9: "model_failed"}.get(number % 500)
        assert row["error"].partition(":")[0] == (kind or "")
        assert bool(row["sluice_label"]) is (kind is None)
        assert bool(row["probability"]) is (kind is None)
    assert f"{ROWS:,}" in done.stdout
    assert "error: model_failed" in done.stdout
    assert "message 1" not in done.stdout + done.stderr


def test_a_report_that_cannot_be_written_is_made_by_the_next_command(
    run: Run, env: dict[str, str], source: Path, tmp_path: Path
) -> None:
    unwritable = 250 * "r"  # it is written under a longer name first
    done = run("backfill", "in.csv", "-o", "out.csv", "--report", unwritable, **env)
    assert done.returncode == 1
    assert "File name too long" in done.stderr
    made = (tmp_path / "out.csv").stat().st_ino
    done = run("backfill", "in.csv", "-o", "out.csv", "--report", "page.html", **env)
    assert done.returncode == 0, done.stderr
    assert "report: page.html" in done.stdout
    assert (tmp_path / "out.csv").stat().st_ino == made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv", "page.html"]


def test_backfill_refuses_to_overwrite_its_input(run: Run, env: dict[str, str], source: Path) -> None:
    before = source.read_bytes()
    done = run("backfill", "in.csv", "-o", "./in.csv", **env)
    assert done.returncode == 1
    assert "in.csv is the output too" in done.stderr
    assert source.read_bytes() == before


def test_backfill_writes_into_the_file_behind_a_link(
    run: Run, env: dict[str, str], source: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real.csv"
    real.write_text("before")
    (tmp_path / "out.csv").symlink_to(real)
    done = run("backfill", "in.csv", "-o", "out.csv", **env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.csv").is_symlink()
    assert len(table(real)) == ROWS
    assert [one.name for one in real.parent.iterdir()] == ["real.csv"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["absent.csv", "-o", "out.csv"], "absent.csv cannot be read (No such file or directory)"),
        (["in.csv", "-o", "no/out.csv"], "no/out.csv cannot be written (No such file or directory)"),
        (["in.csv", "-o", "."], "is a folder"),
        (["in.csv", "-o", "-", "--to", "parquet"], "parquet cannot go to standard output"),
        (["in.csv", "-o", "-", "--report", "page.html"], "name a file for it with -o"),
        (["in.csv", "-o", f"{300 * 'o'}.csv"], "cannot be written (File name too long)"),
        (["in.csv", "-o", "out.csv", "--report", 300 * "r"], "cannot be written (File name too long)"),
        (["in.csv", "-o", "out.csv", "--report", "./out.csv"], "is the output"),
        (["in.csv", "-o", "out.csv", "--text-column", "x"], "no column 'x'"),
    ],
)
def test_backfill_complains_in_one_line(
    run: Run, env: dict[str, str], source: Path, arguments: list[str], complaint: str
) -> None:
    done = run("backfill", *arguments, **env)
    assert done.returncode == 1
    assert done.stderr.startswith("sluice: ")
    assert complaint in done.stderr.replace("\n", " ")
    assert sorted(path.name for path in source.parent.iterdir()) == ["in.csv"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_backfill_carries_on_with_the_same_command(
    run: Run, env: dict[str, str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    rows = 60_000
    (tmp_path / "in.csv").write_text("text\n" + "".join(f"message {i}\n" for i in range(rows)))
    checkpoint = tmp_path / "out.csv.sluice" / "checkpoint.json"
    with subprocess.Popen(
        sluice("backfill", "in.csv", "-o", "out.csv"),
        cwd=tmp_path,
        env=environment(SLUICE_MODEL=MODEL, **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(checkpoint.exists, "the first checkpoint")
        process.send_signal(number)
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == status, complaint
    assert "the same command carries on" in complaint
    assert not (tmp_path / "out.csv").exists()
    done = run("backfill", "in.csv", "-o", "out.csv", **env)
    assert done.returncode == 0, done.stderr
    assert "carrying on after row" in done.stderr
    assert "in 2 runs" in done.stdout
    assert [row["text"] for row in table(tmp_path / "out.csv")] == [f"message {i}" for i in range(rows)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


@pytest.mark.slow
def test_backfill_without_a_broker(run: Run, source: Path, tmp_path: Path) -> None:
    done = run("backfill", "in.csv", "-o", "out.jsonl", "--local", "--scores", "--report", "page.html")
    assert done.returncode == 0, done.stderr
    after = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(after) == ROWS
    assert sum(after[0][f"score_{label}"] for label in ("ham", "spam", "phishing")) == pytest.approx(1, abs=1e-4)
    page = (tmp_path / "page.html").read_text()
    assert "message 1" not in page


@pytest.mark.parametrize("local", [[], ["--local"]])
@pytest.mark.parametrize("output_format", [None, "csv", "tsv", "jsonl"])
def test_backfill_writes_rows_to_standard_output_and_everything_else_to_the_other_one(
    run: Run, env: dict[str, str], tmp_path: Path, local: list[str], output_format: str | None
) -> None:
    wanted = ["--output-format", output_format] if output_format else []
    done = run("backfill", "-", "-o", "-", *wanted, *local, stdin="see you\n\nPOISON\nsee you\n", **env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    if output_format in (None, "jsonl"):
        rows = [json.loads(line) for line in lines]
    else:
        rows = list(csv.DictReader(lines, delimiter="\t" if output_format == "tsv" else ","))
    assert [row["text"] for row in rows] == ["see you", "POISON", "see you"]
    assert [bool(row["label"]) for row in rows] == [True, False, True]
    assert "1 blank line is left out" in done.stderr
    assert "see you" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_standard_output_that_goes_ends_the_backfill_in_silence(env: dict[str, str], source: Path) -> None:
    child = subprocess.Popen(
        sluice("backfill", "in.csv", "-o", "-", "--window", "1"),
        cwd=source.parent,
        env=environment(SLUICE_MODEL=MODEL, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    first = child.stdout.readline()
    child.stdout.close()
    complaints = child.stderr.read().decode()
    child.stderr.close()
    assert child.wait(60) == 1
    assert json.loads(first)["id"] == "0"
    assert "Traceback" not in complaints
    assert [path.name for path in source.parent.iterdir()] == ["in.csv"]


def test_standard_output_that_is_full_is_an_error(env: dict[str, str], source: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            sluice("backfill", "in.csv", "-o", "-"),
            cwd=source.parent,
            env=environment(SLUICE_MODEL=MODEL, **env),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "standard output cannot be written (No space left on device)" in done.stderr


def test_a_local_backfill_says_from_the_start_what_it_does(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("see you\n")
    done = run("backfill", "a.txt", "-o", "out.csv", "--local")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("sluice: ")]
    assert said[0] == "sluice: loading the model"
    assert said[1].startswith("sluice: measuring how fast ")
    assert said[2] == "sluice: looking through the input"


@pytest.mark.parametrize(
    "content",
    ["id,text\n1,\n2, \n", '<smses count="1"><mms date="1"/></smses>', '{"text":" "}\n{"text":"","id":1}\n'],
)
def test_an_input_without_any_text_is_no_success(run: Run, env: dict[str, str], tmp_path: Path, content: str) -> None:
    (tmp_path / "in").write_text(content)
    done = run("backfill", "in", "-o", "out.csv", **env)
    assert done.returncode == 1
    assert "rows has a text" in done.stderr
    assert all(row["error"].startswith("invalid_input: ") for row in table(tmp_path / "out.csv"))
