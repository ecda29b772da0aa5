"""`sluice evaluate` with tiny models: tables, files, comparisons, gates and calibration."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sluice.cli.evaluate import evaluate
from sluice.cli.processes import environment, sluice
from sluice.config.settings import SMALL_MODEL
from sluice.training.data import Example
from tests.unit.training.conftest import write_csv
from tests.unit.worker.model.conftest import save_model

LABELS = {0: "ham", 1: "spam", 2: "phishing"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, LABELS)
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """The same weights under other labels, in another order."""
    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "phishing", "1": "ham", "2": "spam"}
    config["label2id"] = {label: int(number) for number, label in config["id2label"].items()}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def notices(tmp_path_factory: pytest.TempPathFactory, examples: list[Example]) -> Path:
    rows = [one for one in examples if one.label == "ham"]
    return write_csv(tmp_path_factory.mktemp("pools") / "notices.csv", rows)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(one) for one in arguments], env={"COLUMNS": "80"})


def called(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    command = sluice("evaluate", *(str(one) for one in arguments))
    env = environment(COLUMNS="80", OMP_NUM_THREADS="1")
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_every_pool_has_a_row(model: Path, data_file: Path, notices: Path) -> None:
    result = call(model, f"mixed={data_file}", notices)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line.startswith(("mixed ", "notices "))}
    assert rows["mixed"][1] == "160"
    assert rows["notices"][4:] == ["–", "–", rows["notices"][-1]]
    assert "notices, by language" in result.output
    assert max(len(line) for line in lines) <= 80


def test_the_folder_is_complete(model: Path, data_file: Path, notices: Path, tmp_path: Path) -> None:
    result = call(model, f"mixed={data_file}", notices, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "metrics.json", "table.md", "table.csv", "reliability.png", "roc.png",
        "confusion-mixed.png", "confusion-notices.png",
    }  # fmt: skip
    facts = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert facts["model"]["name"] == "tiny"
    assert set(facts["model"]["files"]) >= {"config.json", "model.safetensors"}
    assert facts["settings"]["interval"] == {"level": 0.95, "resamples": 1000, "seed": 20261130}
    mixed = facts["pools"]["mixed"]
    assert (mixed["messages"], mixed["file"]) == (160, "data.csv")
    assert sum(map(sum, mixed["confusion"])) == 160
    assert sum(one["messages"] for one in mixed["reliability"]) == 160
    assert set(mixed["languages"]) == {"en", "fr"}
    assert "phishing_recall" not in facts["pools"]["notices"]["measures"]
    assert set(facts["roc"]["areas"]) == {"all", "en", "fr"}
    rows = list(csv.DictReader((tmp_path / "out" / "table.csv").open()))
    value = next(one for one in rows if one["pool"] == "mixed" and one["language"] == "all")
    assert float(value["value"]) == mixed["measures"][value["measure"]]["value"]
    assert "| mixed | 160 |" in (tmp_path / "out" / "table.md").read_text()


def test_the_same_command_gives_the_same_figures(model: Path, data_file: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert call(model, data_file, "-o", tmp_path / name).exit_code == 0
    for name in ("metrics.json", "table.md", "table.csv", "reliability.png", "roc.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_other_labels_have_no_columns_of_sms(tmp_path: Path) -> None:
    save_model(tmp_path / "moods", {0: "negative", 1: "positive"})
    data = write_csv(
        tmp_path / "reviews.csv", [Example(f"fine {n}", "positive" if n % 2 else "negative") for n in range(30)]
    )
    result = call(tmp_path / "moods", data, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "macro-F1" in result.output
    assert "blocked" not in result.output
    assert "phishing" not in result.output
    assert not (tmp_path / "out" / "roc.png").exists()
    assert set(json.loads((tmp_path / "out" / "metrics.json").read_text())["pools"]["reviews"]["measures"]) == {
        "accuracy", "macro_f1", "ece",
    }  # fmt: skip


def test_two_models_side_by_side(model: Path, other: Path, data_file: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    result = call(model, data_file, "--against", other, "--disagreements", wrong, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["against"]
    assert found["model"]["name"] == "other"
    pool = found["pools"]["data"]
    changed = sum(one["messages"] for one in pool["changes"])
    assert pool["fixed"] == sum(one["fixed"] for one in pool["changes"])
    rows = list(csv.DictReader(wrong.open()))
    assert len(rows) == changed > 0
    # what is the first label to one model is the second to the other, so the same logits name other labels
    assert {(one["this"], one["other"]) for one in rows} <= {
        ("ham", "phishing"), ("spam", "ham"), ("phishing", "spam"),
    }  # fmt: skip
    assert all(one["this_probability"] == one["other_probability"] for one in rows)
    assert sum(one["this"] == one["label"] for one in rows) == pool["fixed"]


def test_a_model_beside_itself(model: Path, data_file: Path) -> None:
    result = call(model, data_file, "--against", model)
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if line.startswith("data ") and "+0.000" in line)
    assert row.split()[1:4] == ["0", "0", "1"]


def test_disguise_by_style(
    model: Path, data_file: Path, notices: Path, examples: list[Example], tmp_path: Path
) -> None:
    result = call(model, data_file, notices, "--disguised", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["disguised"]
    bad = sum(one.label != "ham" for one in examples)
    assert set(found) <= {"look_alikes", "zero_width", "full_width", "spaced", "leet_links"}
    assert all((one["value"], one["of"] <= bad) == (1.0, True) for one in found.values())  # it calls everything bad
    assert found["leet_links"]["of"] < found["spaced"]["of"]
    row = next(line.split() for line in result.output.splitlines() if line.startswith("spaced "))
    assert row == ["spaced", str(found["spaced"]["of"]), "100.0%"]
    assert call(model, notices, "--disguised").exit_code == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_gates_by_status(model: Path, data_file: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gates.toml"
    for text, status, words in (
        ("[pools.data]\naccuracy_min = 0\n", 0, "all 1 limits are kept"),
        ("[pools.data]\naccuracy_min = 1\n[default]\nmacro_f1_min = 0.001\n", 1, "1 of 2 limits are not kept"),
        ("[pools.data]\nacuracy_min = 0\n", 2, "did you mean accuracy_min"),
    ):
        gate.write_text(text)
        done = called(model, data_file, "--gate", gate)
        assert done.returncode == status, done.stderr
        assert words in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        if status == 1:
            assert [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("data ")][-1] == [
                "data", "all", "accuracy",
            ]  # fmt: skip


def test_calibration_is_written_into_the_folder(model: Path, data_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(model, folder)
    result = call(folder, data_file, "--calibrate")
    assert result.exit_code == 0, result.output
    facts = json.loads((folder / "sluice.json").read_text())
    assert facts["calibration"]["messages"] == 160
    assert facts["calibration"]["data"][0]["file"] == "data.csv"
    assert set(facts["thresholds"]) == {"spam", "phishing"}
    assert "At the thresholds of sluice.json" in result.output


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([SMALL_MODEL, "DATA", "--calibrate"], 2, "one of Sluice's own models"),
        (["no-folder", "DATA", "--calibrate"], 2, "is no folder"),
        (["MODEL", "DATA", "--force"], 2, "--force needs --calibrate"),
        (["MODEL", "DATA", "--disagreements", "x.csv"], 2, "--disagreements needs --against"),
        (["MODEL", "DATA", "--calibrate", "--gate", "x.toml"], 2, "do not go together"),
        (["MODEL", "DATA", "DATA"], 1, "two pools are called 'data'"),
        (["MODEL", "nowhere.csv"], 1, "cannot be read"),
        (["MODEL"], 2, "Missing argument"),
        (["MODEL", "DATA", "--gate", "nowhere.toml"], 2, "cannot be read"),
    ],
)
def test_what_will_not_do_is_said(
    model: Path, data_file: Path, arguments: list[object], status: int, words: str
) -> None:
    names = {"MODEL": model, "DATA": data_file}
    result = call(*(names.get(str(one), one) for one in arguments))
    assert result.exit_code == status
    assert words in " ".join(result.output.split())


def test_models_with_other_labels_are_not_compared(model: Path, data_file: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "two", {0: "ham", 1: "spam"})
    result = call(model, data_file, "--against", tmp_path / "two")
    assert result.exit_code == 1
    assert "different labels: ham, spam, phishing; ham, spam." in " ".join(result.output.split())
