"""The command line itself: help, usage errors, settings errors, exit statuses."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from sluice.cli.main import TARGETS
from sluice.cli.processes import environment, sluice
from tests.unit.cli.conftest import Run

HELP_LIMIT_S = 0.5


def test_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in TARGETS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["backfill", "--help"], ["predict", "--help"]])
def test_help_is_quick(arguments: list[str]) -> None:
    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run(sluice(*arguments), env=environment(), capture_output=True, check=True)
        return time.perf_counter() - began

    # Once of several times is enough: what is measured is the command, not how busy the machine is.
    assert any(seconds() < HELP_LIMIT_S for _ in range(10))


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("train", "evaluate")])
def test_every_command_explains_itself(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: sluice {name}")


def test_no_command_shows_the_help(run: Run) -> None:
    done = run()
    assert "Commands:" in done.stdout


def test_unknown_command(run: Run) -> None:
    done = run("clasify")
    assert done.returncode == 2
    assert "no such command 'clasify'" in done.stderr
    assert "backfill" in done.stderr


def test_unknown_option(run: Run) -> None:
    done = run("predict", "--loud", "text")
    assert done.returncode == 2
    assert "--loud" in done.stderr


def test_version(run: Run) -> None:
    assert run("--version").stdout.startswith("sluice ")


@pytest.mark.parametrize("command", [["config"], ["worker"], ["web"], ["up"], ["predict", "x"], ["flower"]])
def test_wrong_settings_are_one_line_and_status_2(run: Run, command: list[str]) -> None:
    done = run(*command, SLUICE_PORT="eighty")
    assert done.returncode == 2
    assert done.stderr.startswith("sluice: SLUICE_PORT: ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize("command", [["worker"], ["flower"], ["predict", "x"]])
def test_without_a_service_the_commands_say_what_to_do(run: Run, command: list[str]) -> None:
    done = run(*command)
    assert done.returncode == 1
    assert done.stderr.startswith("sluice: the service is not running: start it with `sluice up`")
    assert done.stderr.count("\n") == 1


def test_config_shows_source_and_masks_secrets(run: Run) -> None:
    done = run(
        "config", "--json", SLUICE_PORT="9000", SLUICE_BROKER_URL="amqp://u:hunter2@rabbit//", SLUICE_API_KEYS="k1,k2"
    )
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["SLUICE_PORT"] == {**rows["SLUICE_PORT"], "value": "9000", "source": "environment"}
    assert rows["SLUICE_HOST"]["source"] == "default"
    assert all(row["meaning"] for row in rows.values())
    assert "hunter2" not in done.stdout
    assert "k1" not in done.stdout


def test_config_table(run: Run) -> None:
    done = run("config")
    assert done.returncode == 0
    assert "SLUICE_MAX_BATCH_SIZE" in done.stdout
    assert "most messages in one batch" in done.stdout


def test_a_closed_pipe_is_no_error() -> None:
    command = " ".join(f"'{part}'" for part in sluice("config"))
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 1"], env=environment(), capture_output=True, text=True, check=True
    )
    assert not done.stderr


BASH_ASKS = """
source <(sluice completion bash)
COMP_WORDS=(sluice $LINE)
[ "$OPEN" ] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_sluice_completion sluice
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "opened", "offered"),
    [
        ("", "yes", {"up", "backfill", "completion"}),
        ("ba", "", {"backfill"}),
        ("backfill in.csv --date-order", "yes", {"dmy", "mdy", "ymd"}),
        ("completion", "yes", {"bash", "zsh", "fish"}),
        ("up --no-", "", {"--no-flower", "--no-worker"}),
    ],
)
def test_bash_completes(tmp_path: Path, line: str, opened: str, offered: set[str]) -> None:
    program = tmp_path / "sluice"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(sluice())} "$@"\n')
    program.chmod(0o755)
    env = environment(LINE=line, OPEN=opened, PATH=f"{tmp_path}:{os.environ['PATH']}")
    done = subprocess.run(["bash", "-c", BASH_ASKS], env=env, capture_output=True, text=True, check=True)
    assert not done.stderr
    assert offered <= set(done.stdout.split())
    assert opened or offered == set(done.stdout.split())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script(run: Run, shell: str) -> None:
    done = run("completion", shell)
    assert done.returncode == 0
    assert "_SLUICE_COMPLETE" in done.stdout


@pytest.mark.parametrize("command", [["config"], ["predict", "x"], ["worker"]])
def test_a_misspelt_setting_is_told_once(run: Run, command: list[str]) -> None:
    done = run(*command, SLUICE_BROKER_ULR="redis://:hunter2@host/0")
    assert done.stderr.count("SLUICE_BROKER_ULR is no setting and has no effect; did you mean SLUICE_BROKER_URL?") == 1
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", ["--help", "--version", "config", "config --json", "predict --help"])
@pytest.mark.parametrize(("lost", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_an_answer_that_cannot_be_printed_is_no_success(arguments: str, lost: str, why: str) -> None:
    done = shell(arguments, lost)
    assert done.returncode == 1
    assert done.stderr == f"sluice: standard output cannot be written: {why}\n"


@pytest.mark.parametrize("lost", ["2>/dev/full", "2>&-", "<&-"])
def test_complaints_that_nobody_hears_change_nothing(lost: str) -> None:
    assert shell("config --json", lost).stdout == shell("config --json", "").stdout
    assert shell("config --wrong", lost).returncode == 2


def shell(arguments: str, redirection: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.join(sluice())} {arguments} {redirection}"
    return subprocess.run(["sh", "-c", command], env=environment(), capture_output=True, text=True, check=False)
