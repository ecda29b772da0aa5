"""The work of a backfill: source → line → writer, in one thread, with a checkpoint every moment."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from sluice.backfill.answer_store import AnswerStore
from sluice.backfill.changes import options_of, refuse_changes
from sluice.backfill.checkpoint import AHEAD, Checkpoint
from sluice.backfill.clients.base import ClassifierClient
from sluice.backfill.folder import RunFolder
from sluice.backfill.in_flight_rows import CHUNK_ROWS, Chunk, InFlightRows
from sluice.backfill.outputs.output_columns import output_columns
from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.outputs.streamed import STDOUT
from sluice.backfill.report.names import ReportNames
from sluice.backfill.run.display import Display
from sluice.backfill.run.facts import Option
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.stats import RunStats
from sluice.backfill.run.stop import Stop, Stopped
from sluice.backfill.source import Source, open_source
from sluice.backfill.table.row import Row
from sluice.tasks.errors import ChangedRun
from sluice.tasks.sentence import Sentence

#: Seconds between two checkpoints: the rows that a crash repeats, and an fsync each.
CHECKPOINT_S = 2.0
#: Bytes of input after which rows are let go before they fill a chunk, and rows between two looks at that.
CHUNK_BYTES, FEW_ROWS = 1 << 23, 16
#: Seconds between two points of the throughput curve, and between two updates of the display.
SAMPLE_S, SHOW_S = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """A complete backfill: its counts, and the columns of its output that a report reads."""

    stats: RunStats
    names: ReportNames


def run(
    plan: Plan,
    classifier: ClassifierClient,
    display: Display,
    stop: Stop,
    afterwards: Callable[[BackfillResult], None] | None = None,
) -> BackfillResult:
    """Classify everything that ``plan`` names, or carry on where an earlier run of it was stopped.

    Args:
        afterwards: what else is to be made of the output, once it is in its place. If that fails, or the process dies
            in it, the same plan comes to it again without classifying anything.

    Raises:
        UnreadableArchive, UnwritableOutput: what cannot be read or written.
        ChangedRun: there is a checkpoint, and the input or an option is not what it was.
        ServiceNotRunning, BrokerUnavailable: there is nobody to ask.
        Stopped: the same plan carries on from here.
    """
    began = time.monotonic()
    with RunFolder(plan.folder, plan.target) as folder:
        kept = None if plan.restart else folder.load()
        if kept is None:
            # What a run left that died before its first checkpoint was begun with nobody knows which options.
            folder.clear()
        try:
            with open_source(plan, stop) as source, closing(AnswerStore(folder.answers)) as answers:
                result = _Run(plan, classifier, display, stop, folder, kept, source, answers, began).run()
            folder.publish()
            if afterwards is not None:
                afterwards(result)
            folder.remove()
        except BaseException:
            folder.remove_if_unused()
            raise
    return result


class _Run:
    """One run; its parts are opened in the order in which they can fail."""

    def __init__(
        self,
        plan: Plan,
        classifier: ClassifierClient,
        display: Display,
        stop: Stop,
        folder: RunFolder,
        kept: Checkpoint | None,
        source: Source,
        answers: AnswerStore,
        began: float,
    ) -> None:
        self._classifier = classifier
        self._display = display
        self._stop = stop
        self._folder = folder
        self._source = source
        self._answers = answers
        fresh = Checkpoint(source.fingerprint, options_of(plan, source))
        if kept is not None:
            refuse_changes(kept, fresh, folder.path)
        self._checkpoint = kept or fresh
        self._stats = RunStats.carried_on(kept.stats) if kept is not None and kept.stats else RunStats()
        self._stats.started = began
        if plan.verdict:
            classifier.require_verdicts()
        self._output_columns = output_columns(source.columns, self._labels(plan), verdict=plan.verdict)
        self._in_flight = InFlightRows(
            classifier,
            answers,
            most=plan.max_in_flight,
            max_text_chars=plan.max_text_chars,
            name=self._checkpoint.envelope,
            number=self._checkpoint.number + (AHEAD if kept is not None else 0),
            row=self._checkpoint.rows,
        )
        columns = [*source.columns, *self._output_columns.columns]
        self._published = folder.published(self._checkpoint.output)
        if not self._published:
            self._writer = open_writer(
                plan.output_format, STDOUT if plan.streamed else folder.partial, columns, self._checkpoint.writer
            )
        self._position = 0
        self._saved_at = self._sampled_at = self._shown_at = time.monotonic()

    def run(self) -> BackfillResult:
        if not self._published:
            with closing(self._writer):
                if not self._checkpoint.complete:
                    self._carry_on()
                    self._classify()
                self._finish()
        self._stats.stop()
        self._display.update(1.0, self._stats)
        roles, ours = self._source.roles, self._output_columns
        names = ReportNames(
            roles.text,
            roles.sender,
            roles.time,
            ours.label,
            ours.probability,
            ours.error,
            self._source.elsewhere,
            roles.people,
        )
        return BackfillResult(self._stats, names)

    def _labels(self, plan: Plan) -> list[str] | None:
        """The labels that get a column each: those of the first run, of the model that is there now otherwise."""
        if not plan.scores:
            return None
        labels = self._checkpoint.options.get("labels") or self._classifier.labels()
        self._checkpoint.options["labels"] = labels
        return list(labels)

    def _carry_on(self) -> None:
        """What an earlier run left with the broker shall not run; its answers count for the same version."""
        if self._checkpoint.rows or self._checkpoint.number:
            self._display.note(f"carrying on after row {self._checkpoint.rows:,}")
            self._classifier.abandon(self._checkpoint.stale())
            # Should this run die soon too, the next one must not give its envelopes the names of this one's.
            self._save()
        version = self._classifier.version()
        if version is not None:
            self._answers.serve(*version)

    def _classify(self) -> None:
        try:
            for chunks in self._answered():
                self._write(chunks)
                self._look_around()
            self._save(complete=True)
        except Stopped:
            self._let_go()
            self._save()
            self._display.update(self._share(), self._stats)
            raise
        except BaseException:
            self._let_go()
            raise

    def _answered(self) -> Iterator[list[Chunk]]:
        """Send everything; yields chunks in input order as they complete, and empty lists in between."""
        in_flight, source = self._in_flight, self._source
        rows = source.rows()
        self._pass_over(rows)
        while chunk := self._chunk(rows):
            in_flight.add(chunk, source.position)
            in_flight.receive(0)
            yield in_flight.take()
            while in_flight.full:
                in_flight.wait()
                yield in_flight.take()
        in_flight.flush()
        while not in_flight.empty:
            in_flight.wait()
            yield in_flight.take()

    def _chunk(self, rows: Iterator[Row]) -> list[Row]:
        """The next rows; fewer than usual where they are large."""
        chunk: list[Row] = []
        begin = self._source.position
        while few := list(itertools.islice(rows, min(FEW_ROWS, self._in_flight.chunk_rows - len(chunk)))):
            chunk += few
            if self._source.position - begin >= CHUNK_BYTES:
                break
        return chunk

    def _pass_over(self, rows: Iterator[Row]) -> None:
        """Skip what an earlier run has written, but not a stop."""
        for start in range(0, self._checkpoint.rows, CHUNK_ROWS):
            self._stop.check()
            for _ in itertools.islice(rows, min(CHUNK_ROWS, self._checkpoint.rows - start)):
                pass
        self._position = self._source.position

    def _write(self, chunks: Sequence[Chunk]) -> None:
        cells, stats = self._output_columns.cells, self._stats
        for chunk in chunks:
            entries = [entry for entry in chunk.entries if entry is not None]
            assert len(entries) == len(chunk.rows)
            self._writer.write([[*row.values, *cells(entry)] for row, entry in zip(chunk.rows, entries, strict=True)])
            stats.add(entries)
            stats.sent += chunk.sent
            stats.saved += chunk.saved
            self._position = chunk.position

    def _look_around(self) -> None:
        """What is due now and then, between two steps."""
        self._stop.check()
        now = time.monotonic()
        if now - self._shown_at >= SHOW_S:
            self._shown_at = now
            self._display.update(self._share(), self._stats)
        if now - self._sampled_at >= SAMPLE_S:
            self._sampled_at = now
            self._stats.sample()
        first = not self._checkpoint.number and self._in_flight.number
        if (
            first
            or now - self._saved_at >= CHECKPOINT_S
            or self._in_flight.number - self._checkpoint.number >= AHEAD // 2
        ):
            self._save()

    def _share(self) -> float:
        return min(1.0, self._position / max(1, self._source.size))

    def _save(self, *, complete: bool = False) -> None:
        """Everything that is written survives from here on."""
        self._refuse_altered()
        self._answers.commit()
        if complete:
            self._stats.sample()
            self._stats.notes = [self._display.words(note) for note in self._source.notes]
        checkpoint = self._checkpoint
        checkpoint.writer = self._writer.commit()
        checkpoint.rows = self._stats.rows
        checkpoint.stats = self._stats.as_json()
        checkpoint.oldest, checkpoint.number = self._in_flight.oldest, self._in_flight.number
        checkpoint.complete = complete
        self._folder.save(checkpoint)
        self._saved_at = time.monotonic()

    def _let_go(self) -> None:
        """Keep the answers that are here already, and let the workers drop the rest."""
        try:
            self._in_flight.receive(0)
        finally:
            self._classifier.abandon(self._in_flight.open)

    def _refuse_altered(self) -> None:
        """Rows that may be of two versions of a file are not carried on either, should the first one come back."""
        at = self._source.altered()
        if at is not None:
            changed = self._checkpoint.inputs[at]
            changed["sha256"] = ""
            self._folder.save(self._checkpoint)
            raise ChangedRun(
                Sentence(
                    "{file} was changed while it was being read: the output would be of no use; {restart} begins anew",
                    file=changed["name"],
                    restart=Option.RESTART,
                ),
                {"field": changed["name"]},
            )

    def _finish(self) -> None:
        self._refuse_altered()
        if not self._source.unchanged():
            raise ChangedRun("an input is gone: nobody knows whether it was changed while it was being read")
        self._writer.finish()
        self._checkpoint.output = self._folder.identity()
        self._folder.save(self._checkpoint)
