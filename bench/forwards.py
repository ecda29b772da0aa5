"""The ways to run one and the same BERT: packed, as transformers does, and in ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from sluice.bench import onnx_export
from sluice.config.settings import read
from sluice.tasks.errors import ModelUnavailable
from sluice.worker.engine.model_thread import Asynchronous
from sluice.worker.model.base import Classifier
from sluice.worker.model.loader import load
from sluice.worker.model.torch_classifier import pad

Forward = Callable[[Sequence[list[int]]], list[list[float]]]


@dataclass(frozen=True)
class Contender:
    """A way to run the same model.

    Attributes:
        padded: whether the messages of a batch are padded to the longest.
        ahead: a classifier whose next batch is submitted before the last one is collected, as the worker does it.
    """

    name: str
    precision: str
    forward: Forward
    padded: bool
    ahead: Asynchronous | None = None

    def run(self, work: Sequence[Sequence[list[int]]]) -> None:
        """Every batch; ends with all answers on the host."""
        if self.ahead is None:
            for batch in work:
                self.forward(batch)
            return
        handle = None
        for batch in work:
            handle, last = self.ahead.submit(batch), handle
            if last is not None:
                self.ahead.collect(last)
        if handle is not None:
            self.ahead.collect(handle)

    def computed_tokens(self, batch: Sequence[list[int]]) -> int:
        """Tokens of a batch, padding included if it pads."""
        lengths = [len(row) for row in batch]
        return max(lengths) * len(lengths) if self.padded else sum(lengths)


class Library:
    """transformers' own forward over batches padded to their longest message."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, pad_id: int) -> None:
        from transformers import AutoModelForSequenceClassification

        self._device = device
        self._pad_id = pad_id
        self.model = AutoModelForSequenceClassification.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
        self.model.to(device).eval()

    @torch.inference_mode()
    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        """Probabilities, (messages, labels)."""
        ids, mask = (torch.from_numpy(array).to(self._device) for array in pad(batch, self._pad_id))
        logits = self.model(input_ids=ids, attention_mask=mask).logits
        rows: list[list[float]] = torch.softmax(logits.float(), dim=-1).tolist()
        return rows


@contextmanager
def contenders(
    model: Path, device: torch.device, largest: int, with_onnx: bool, note: Callable[[str], None]
) -> Iterator[list[Contender]]:
    """Everything that can run here, loaded; the files of ONNX Runtime live as long as the block.

    Args:
        largest: most messages in a batch.
    """
    cuda = device.type == "cuda"
    found = []
    for precision in ("fp16", "bf16", "fp32") if cuda else ("fp32", "int8"):
        found += _packed(model, device, precision, largest, note)
    pad_id = pad_token(model)
    single = Library(model, device, torch.float32, pad_id)
    found.append(Contender("transformers fp32", "fp32", single.forward, True))
    if cuda:
        found.append(
            Contender("transformers fp16", "fp16", Library(model, device, torch.float16, pad_id).forward, True)
        )
    reason = onnx_export.missing() or ("runs on the CPU only here" if cuda else "") if with_onnx else "not asked for"
    if reason:
        note(f"left out: ONNX Runtime: {reason}")
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="sl-onnx-") as folder:
        yield found + _onnx_contenders(single, Path(folder), pad_id, note)


def _packed(
    model: Path, device: torch.device, precision: str, largest: int, note: Callable[[str], None]
) -> list[Contender]:
    """Our own forward. On CUDA also submitted ahead, and without recorded graphs, which only a warm-up makes."""

    def loaded() -> Classifier:
        return load(read(model=str(model), device=str(device), packed=True, precision=precision))

    name = f"packed {precision}"
    try:
        ours = loaded()
        if not same_precision(ours.precision, precision):
            raise ModelUnavailable(f"{ours.precision} runs instead")
        ours.warm_up(largest)
        found = [Contender(name, precision, ours.forward, ours.padded)]
        if isinstance(ours, Asynchronous):
            found.append(Contender(f"{name}, ahead", precision, ours.forward, ours.padded, ours))
            found.append(Contender(f"{name}, no graphs", precision, loaded().forward, ours.padded))
    except (ModelUnavailable, RuntimeError, ValueError) as exc:
        note(f"left out: {name}: {str(exc).splitlines()[0][:200]}")
        return []
    return found


def _onnx_contenders(single: Library, folder: Path, pad_id: int, note: Callable[[str], None]) -> list[Contender]:
    """ONNX Runtime's contenders; what its tools cannot do is left out with the reason."""
    found = []
    note("exporting for ONNX Runtime")
    try:
        limit = int(single.model.config.max_position_embeddings)
        file = onnx_export.export(single.model, folder / "model.onnx", limit)
        for precision in ("fp32", "int8"):
            file = file if precision == "fp32" else onnx_export.quantise(file, folder / "int8.onnx")
            session = onnx_export.Session(file, pad_id, torch.get_num_threads(), "cpu")
            found.append(Contender(f"ONNX Runtime {precision}", precision, session.forward, True))
    except Exception as exc:  # many libraries' many errors, and the rest can still be measured
        note(f"left out: ONNX Runtime: {type(exc).__name__}: {str(exc).splitlines()[0][:200]}")
    return found


def same_precision(name: str, wanted: str) -> bool:
    """Whether a classifier's ``precision`` is what the settings call ``wanted``."""
    names = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}
    return name in (wanted, names[wanted])


def pad_token(model: Path) -> int:
    from transformers import AutoTokenizer

    return int(AutoTokenizer.from_pretrained(str(model), local_files_only=True).pad_token_id or 0)
