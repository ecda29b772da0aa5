"""Packed batches on CUDA, submitted ahead: recorded forwards, one copy in and one out, no waiting in between."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sluice.worker.model.base import BATCHES_AHEAD, ModelInfo
from sluice.worker.model.buckets import Bucket, choose, exact, ladder
from sluice.worker.model.encoder import TextEncoder
from sluice.worker.model.layout import lay_out
from sluice.worker.model.packed import PackedClassifier, PackedModel
from sluice.worker.model.varlen import Attend, VarlenAttention

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

log = logging.getLogger(__name__)


@dataclass
class StagingBuffer:
    """Host memory for one batch under way, pinned on CUDA so that copies need no waiting."""

    inputs: Tensor
    """int32: what `Bucket.write` writes."""
    answers: Tensor
    """float32 (messages, labels)."""
    done: torch.cuda.Event | None
    """A CUDA event, or None on a CPU."""


@dataclass(frozen=True)
class Ticket:
    """A submitted batch: where its answers will be."""

    answers: Tensor
    done: torch.cuda.Event | None


class AheadClassifier(PackedClassifier):
    """Runs a packed model with variable-length attention; `submit` returns before the device is done.

    Batches are rounded up to a few buckets. `warm_up` records the forward of each as a CUDA graph, which is replayed as
    one launch; where that fails, or for a batch larger than all buckets, kernels are launched one by one.

    Args:
        attend: as `VarlenAttention` has it.
    """

    def __init__(
        self,
        model: PackedModel,
        encoder: TextEncoder,
        labels: Sequence[str],
        info: ModelInfo,
        device: torch.device,
        precision: str,
        attend: Attend,
    ) -> None:
        super().__init__(model, encoder, labels, info, device, precision)
        self._attend = attend
        self._buckets: list[Bucket] = []
        self._graphs: dict[Bucket, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._inputs = torch.empty(0, dtype=torch.int32, device=device)
        self._staging: list[StagingBuffer] = []
        self._turn = 0

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        """Probabilities shaped (messages, labels)."""
        return self.collect(self.submit(batch)) if batch else []

    def submit(self, batch: Sequence[list[int]]) -> Ticket:
        """Starts a forward of at least one message; at most `BATCHES_AHEAD` batches may be uncollected."""
        with torch.inference_mode(), self._on_device():
            return self._submit(batch)

    def _submit(self, batch: Sequence[list[int]]) -> Ticket:
        layout = lay_out(batch, self._model.pad_id)
        bucket = choose(self._buckets, len(layout.ids), len(batch))
        longest = int(layout.lengths.max())
        if bucket is None or longest > self._encoder.max_length:
            bucket = exact(len(layout.ids), len(batch))
            inputs = torch.empty(sum(bucket.parts), dtype=torch.int32)
            bucket.write(layout, longest, inputs.numpy())
            return Ticket(self._run(bucket, inputs.to(self._device), longest).cpu(), None)
        buffer = self._next_staging()
        bucket.write(layout, self._encoder.max_length, buffer.inputs.numpy())
        count = sum(bucket.parts)
        self._inputs[:count].copy_(buffer.inputs[:count], non_blocking=True)
        answers = buffer.answers[: len(batch)]
        answers.copy_(self._replay(bucket)[: len(batch)], non_blocking=True)
        if buffer.done is not None:
            buffer.done.record()
        return Ticket(answers, buffer.done)

    def collect(self, ticket: Ticket) -> list[list[float]]:
        """Waits for a submitted batch; its probabilities, shaped (messages, labels)."""
        if ticket.done is not None:
            ticket.done.synchronize()
        rows: list[list[float]] = ticket.answers.tolist()
        return rows

    def warm_up(self, max_batch: int) -> None:
        """Makes room for batches of up to `max_batch` messages and records their forwards."""
        with torch.inference_mode(), self._on_device():
            self._make_room(max_batch)
            if self._device.type == "cuda":
                self._record()
        longest = self._encoder.max_length
        for count in sorted({1, max_batch}):
            for length in sorted({min(8, longest), longest}):
                self.forward([[self._encoder.unknown_id] * length] * count)

    def _make_room(self, max_batch: int) -> None:
        self._buckets = ladder(max_batch, self._encoder.max_length)
        size = max(sum(bucket.parts) for bucket in self._buckets)
        self._inputs = torch.zeros(size, dtype=torch.int32, device=self._device)
        self._staging = [self._make_staging(size, max_batch) for _ in range(BATCHES_AHEAD)]

    def _on_device(self) -> AbstractContextManager[object]:
        """Events and graphs belong to the thread's current device, which starts as the first."""
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()

    def _make_staging(self, size: int, messages: int) -> StagingBuffer:
        cuda = self._device.type == "cuda"
        return StagingBuffer(
            torch.zeros(size, dtype=torch.int32, pin_memory=cuda),
            torch.zeros(messages, len(self.labels), pin_memory=cuda),
            torch.cuda.Event() if cuda else None,
        )

    def _next_staging(self) -> StagingBuffer:
        buffer = self._staging[self._turn]
        self._turn = (self._turn + 1) % BATCHES_AHEAD
        if buffer.done is not None:
            buffer.done.synchronize()
        return buffer

    def _run(self, bucket: Bucket, inputs: Tensor, longest: int) -> Tensor:
        """Probabilities, float32 (messages of the bucket, labels), launched kernel by kernel."""
        ids, positions, borders, first = bucket.read(inputs)
        logits = self._model(ids, positions, VarlenAttention(borders, first, longest, self._attend))
        return self._probabilities(logits)

    def _replay(self, bucket: Bucket) -> Tensor:
        """What `_run` gives for the inputs in place, as one launch where it is recorded."""
        if bucket not in self._graphs:
            return self._run(bucket, self._inputs, self._encoder.max_length)
        graph, answers = self._graphs[bucket]
        graph.replay()
        return answers

    def _record(self) -> None:
        """Records a graph for each bucket, the largest first, so that the smaller ones use its memory."""
        pool = torch.cuda.graph_pool_handle()
        for bucket in reversed(self._buckets):
            # What fills the inputs must be a batch: borders that ascend, and rows that exist.
            bucket.write(lay_out([[0]]), self._encoder.max_length, self._staging[0].inputs.numpy())
            self._inputs.copy_(self._staging[0].inputs)
            try:
                self._graphs[bucket] = self._record_one(bucket, pool)
            except RuntimeError as error:
                self._graphs.clear()
                log.warning("CUDA graphs are off: %s", str(error).strip().splitlines()[0])
                return

    def _record_one(self, bucket: Bucket, pool: _POOL_HANDLE) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        longest = self._encoder.max_length
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            self._run(bucket, self._inputs, longest)  # libraries set themselves up outside the recording
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads of the process may use CUDA meanwhile.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            answers = self._run(bucket, self._inputs, longest)
        return graph, answers
