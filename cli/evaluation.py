"""One run of `sluice evaluate`, step by step: read, classify, calibrate, show, compare, write, gate."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.progress import track

from sluice.cli.output import screen
from sluice.training.data import Columns, DataError
from sluice.training.intervals import LEVEL, SAMPLES, SEED, Estimate, share
from sluice.training.measures import BY_LABEL, BY_VERDICT, ECE_BINS
from sluice.training.obfuscate import DISGUISE_SEED
from sluice.training.pools import Pool, named_files, read_pools
from sluice.training.predictions import BAD, Predictions, joined, predictions
from sluice.training.record import sha256
from sluice.training.results import Comparison, PoolResult, compare, pool_result
from sluice.training.tables import (
    print_classes,
    print_comparison,
    print_disguised,
    print_failures,
    print_languages,
    print_pools,
)

if TYPE_CHECKING:
    from rich.console import Console

    from sluice.training.gate import Rule
    from sluice.worker.model.base import Classifier


@dataclass(frozen=True)
class ModelChoice:
    """The loader's settings, from the command line."""

    model: str
    max_text_length: int
    device: str
    precision: str
    use_fp16: bool = True
    mbert_model_path: str | None = None
    packed: bool = True


class WrongGate(click.ClickException):
    """A gate that cannot be used: wrong usage, so that status 1 means figures below it."""

    exit_code = 2


class Evaluation:
    """The model, the pools, and what came of them.

    Args:
        model: a folder, a hub id or a .pth file.
        arguments: the pools, ``FILE`` or ``NAME=FILE``.
        given: the command's options.

    Raises DataError for files that cannot be used, ModelUnavailable for a model that cannot.
    """

    def __init__(self, model: str, arguments: Sequence[str], given: Mapping[str, Any], console: Console) -> None:
        self._given, self._console, self._spec = given, console, model
        files, columns = named_files(arguments), Columns(given["text_column"], given["label_column"])
        read_pools(files, None, columns)  # what is wrong with a file is said before a model is loaded
        if given["calibrate"]:
            _refuse_to_calibrate(Path(model), given["force"])
        self._model = self._load(model)
        self._pools = read_pools(files, self._model.labels, columns)
        self._other = self._load(given["against"]) if given["against"] else None
        if self._other is not None and set(self._other.labels) != set(self._model.labels):
            both = (", ".join(one.labels) for one in (self._model, self._other))
            raise DataError("the two models have different labels: {}; {}.".format(*both))
        self._rules = self._read_gate(given["gate"]) if given["gate"] else []
        self._temperature, self._thresholds = self._model.info.temperature, self._model.info.thresholds or {}
        self._results: list[PoolResult] = []
        self._comparisons: list[Comparison] = []
        self._disguised: dict[str, Estimate] = {}

    def run(self) -> None:
        """All that the options ask for, up to the gate."""
        found, seconds = self._predictions(self._model, self._pools)
        if self._given["calibrate"]:
            found = self._calibrated(found)
        self._results = [pool_result(pool, one) for pool, one in zip(self._pools, found, strict=True)]
        self._show(sum(len(pool.examples) for pool in self._pools) / seconds)
        if self._given["disguised"]:
            self._disguise()
        if self._other is not None:
            self._compare(self._other, found)
        if self._given["folder"] is not None:
            self._write(self._given["folder"])

    def passes(self) -> bool:
        """Whether the figures keep the gate; prints what does not."""
        from sluice.training.gate import GateError, failures

        if not self._rules:
            return True
        try:
            failed = failures(self._rules, self._results, self._disguised)
        except GateError as error:
            raise WrongGate(f"{self._given['gate']}: {error}") from None
        name = Path(self._given["gate"]).name
        self._console.print()
        if not failed:
            self._console.print(f"{name}: all {len(self._rules)} limits are kept", style="green")
            return True
        self._console.print(f"{name}: {len(failed)} of {len(self._rules)} limits are not kept", style="bold red")
        print_failures(self._console, failed)
        return False

    def _load(self, spec: str) -> Classifier:
        import torch

        from sluice.worker.model.loader import load

        if self._given["threads"] is not None:
            torch.set_num_threads(self._given["threads"])
        return load(ModelChoice(spec, self._given["max_length"], self._given["device"], self._given["precision"]))

    def _read_gate(self, path: Path) -> list[Rule]:
        from sluice.training.gate import GateError, read_gate
        from sluice.training.obfuscate import STYLES

        labels, thresholds = self._model.labels, self._model.info.thresholds
        unanswered = {
            pool.name: predictions(pool.examples, np.zeros((len(pool.examples), len(labels))), labels, thresholds)
            for pool in self._pools
        }
        try:
            return read_gate(path, unanswered, tuple(STYLES) if self._given["disguised"] else ())
        except GateError as error:
            raise WrongGate(str(error)) from None

    def _predictions(self, classifier: Classifier, pools: Sequence[Pool]) -> tuple[list[Predictions], float]:
        """By pool, and the seconds that it took."""
        began = time.perf_counter()
        thresholds, batch = classifier.info.thresholds, self._given["batch"]
        found = []
        for pool in pools:
            texts = [example.text for example in pool.examples]
            probabilities = _classify(classifier, texts, batch, pool.name)
            found.append(predictions(pool.examples, probabilities, classifier.labels, thresholds))
        return found, time.perf_counter() - began

    def _calibrated(self, found: list[Predictions]) -> list[Predictions]:
        """The answers as they are with what was fitted, which is written into the model's folder."""
        from sluice.training.calibrate import MAX_HAM_BLOCKED, calibrate, rescaled, stated, write_calibration
        from sluice.training.predictions import Predictions

        target = self._given["max_ham_blocked"] or MAX_HAM_BLOCKED
        fitted, _ = calibrate(joined(found), self._temperature, target)
        write_calibration(Path(self._spec), fitted, self._pools)
        say = self._console.print
        say(
            f"Calibrated on {fitted.messages:,} messages, {fitted.ham:,} of them ham: temperature "
            f"{fitted.temperature:.3f}, ECE {fitted.ece_before:.3f} before and {fitted.ece_after:.3f} after",
            soft_wrap=True,
        )
        for label, limits in stated(fitted.thresholds).items():
            say(f"  {label}: " + ", ".join(f"{name} from {limit:.4f} on" for name, limit in limits.items()))
        for note in fitted.notes:
            say(f"  {note}", style="yellow", soft_wrap=True)
        say(f"Written to {self._spec}/sluice.json\n", soft_wrap=True)
        factor = fitted.temperature / self._temperature
        self._temperature, self._thresholds = fitted.temperature, fitted.thresholds
        return [
            Predictions(one.labels, one.truth, rescaled(one.probabilities, factor), one.languages, fitted.thresholds)
            for one in found
        ]

    def _show(self, speed: float) -> None:
        info, one_pool = self._model.info, len(self._results) == 1
        self._console.print(
            f"{info.name} {info.version} on {self._model.device}, {self._model.precision}, {speed:,.0f} messages/s",
            soft_wrap=True,
        )
        label_title = f"By the most likely label, with 95% intervals (ECE: {ECE_BINS} bins)"
        print_pools(self._console, self._results, BY_LABEL, label_title)
        print_pools(self._console, self._results, BY_VERDICT, "At the thresholds of sluice.json")
        if one_pool:
            self._console.print()
            print_classes(self._console, self._results[0].scores)
        print_languages(self._console, self._results, [name for name in BY_LABEL if name != "ece"])

    def _disguise(self) -> None:
        from sluice.training.disguises import measure, total
        from sluice.training.obfuscate import STYLES

        labels = self._model.labels
        texts = [one.text for pool in self._pools for one in pool.examples if one.label in BAD]
        if not texts:
            raise click.ClickException("--disguised needs messages that are spam or phishing: there are none.")

        def blocks(texts: Sequence[str]) -> list[bool]:
            guess = _classify(self._model, texts, self._given["batch"], "disguised").argmax(axis=1)
            return [labels[one] in BAD for one in guess]

        cells = measure(blocks, texts, rare=False, seed=DISGUISE_SEED)
        totals = [total(cells, style) for style in STYLES]
        self._disguised = {one.style: share(one.kept, one.disguised) for one in totals if one.disguised}
        print_disguised(self._console, self._disguised)

    def _compare(self, other: Classifier, found: Sequence[Predictions]) -> None:
        theirs = [_in_order(one, self._model.labels) for one in self._predictions(other, self._pools)[0]]
        self._comparisons = [
            compare(pool, mine, its) for pool, mine, its in zip(self._pools, found, theirs, strict=True)
        ]
        title = f"Less {other.info.name} {other.info.version}, with paired 95% intervals"
        print_comparison(self._console, self._comparisons, BY_LABEL, title)
        if self._given["disagreements"] is not None:
            rows = _write_disagreements(self._given["disagreements"], self._pools, found, theirs)
            self._console.print(f"{rows:,} messages written to {self._given['disagreements']}", soft_wrap=True)

    def _write(self, folder: Path) -> None:
        from sluice.training.calibrate import stated
        from sluice.training.report import comparison_json, write_report

        settings = {
            "max_length": self._given["max_length"],
            "batch": self._given["batch"],
            "device": self._model.device,
            "precision": self._model.precision,
            "interval": {"level": LEVEL, "resamples": SAMPLES, "seed": SEED},
            "ece_bins": ECE_BINS,
            "temperature": self._temperature,
            "thresholds": stated(self._thresholds),
        }
        comparison = None
        if self._other is not None:
            comparison = comparison_json(_facts(self._other, self._given["against"]), self._comparisons)
        model = _facts(self._model, self._spec)
        names = write_report(folder, model, settings, self._results, comparison, self._disguised)
        self._console.print(f"\nWritten to {folder}: {', '.join(names)}", soft_wrap=True)


def _refuse_to_calibrate(folder: Path, force: bool) -> None:
    from sluice.config.settings import MODELS

    if not folder.is_dir():
        raise click.BadParameter(f"{folder} is no folder: --calibrate writes into its sluice.json", param_hint="MODEL")
    if folder.resolve().parent == MODELS.resolve() and not force:
        raise click.BadParameter(
            f"{folder} is one of Sluice's own models: calibrate a copy, or say --force", param_hint="MODEL"
        )


def _in_order(given: Predictions, labels: tuple[str, ...]) -> Predictions:
    """The same answers with the labels of another model, in its order."""
    columns = [given.labels.index(label) for label in labels]
    numbers = np.argsort(columns)
    return Predictions(labels, numbers[given.truth], given.probabilities[:, columns], given.languages, given.thresholds)


def _facts(classifier: Classifier, spec: str) -> dict[str, Any]:
    """Name, version and, where there are any, the files of a model."""
    path = Path(spec)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    hashes = {file.name: sha256(file) for file in files if file.is_file()}
    return {"name": classifier.info.name, "version": classifier.info.version, "files": hashes}


def _classify(classifier: Classifier, texts: Sequence[str], batch: int, title: str) -> np.ndarray:
    """Probabilities, (texts, labels), in order."""
    ids = classifier.encode(texts)
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    result = np.zeros((len(ids), len(classifier.labels)), dtype=np.float32)
    bar = screen(stderr=True)
    starts = range(0, len(order), batch)
    for start in track(starts, title, console=bar, transient=True, disable=not bar.is_interactive):
        rows = order[start : start + batch]
        result[rows] = classifier.forward([ids[row] for row in rows])
    return result


def _write_disagreements(
    path: Path, pools: Sequence[Pool], found: Sequence[Predictions], theirs: Sequence[Predictions]
) -> int:
    """Writes the messages with two labels; returns how many."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["pool", "text", "label", "language", "other", "other_probability", "this", "this_probability"])
        for pool, mine, its in zip(pools, found, theirs, strict=True):
            for row in np.flatnonzero(mine.guess != its.guess):
                said = (
                    (its.labels[its.guess[row]], f"{its.stated[row]:.4f}"),
                    (mine.labels[mine.guess[row]], f"{mine.stated[row]:.4f}"),
                )
                example = pool.examples[row]
                writer.writerow([pool.name, example.text, example.label, example.language, *said[0], *said[1]])
                count += 1
    return count
