"""A model folder in ONNX Runtime, in single precision or with dynamic int8, as its own tools make it.

Needs onnxruntime, onnx and onnxscript, which come with the extra ``peers``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sluice.worker.model.torch_classifier import pad

NEEDS = ("onnxruntime", "onnx", "onnxscript")
#: Seen by the exporter only; messages may be of any number and of any length up to the limit.
EXAMPLE = (2, 9)


def missing() -> str:
    """What has to be installed first; empty if nothing."""
    absent = [name for name in NEEDS if find_spec(name) is None]
    return f"{', '.join(absent)} not installed (extra peers)" if absent else ""


def export(model: Any, target: Path, limit: int) -> Path:
    """Write a transformers classifier as ONNX; returns ``target``. Takes half a minute for mBERT's shape.

    Args:
        limit: most tokens of a message.
    """
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.model(input_ids=ids, attention_mask=mask).logits
            return result

    ids = torch.randint(5, 100, EXAMPLE)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    shape = {0: torch.export.Dim("messages"), 1: torch.export.Dim("tokens", max=limit)}
    with _errors_only("torch.onnx"), warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits().eval(),
            (ids, mask),
            target,
            input_names=["ids", "mask"],
            output_names=["logits"],
            dynamic_shapes={"ids": shape, "mask": shape},
            dynamo=True,
            verbose=False,
        )
    return target


def quantise(source: Path, target: Path) -> Path:
    """Dynamic int8, per channel, of an exported model; returns ``target``."""
    onnx: Any = import_module("onnx")
    tools: Any = import_module("onnxruntime.quantization")
    graph = onnx.load(source)
    del graph.graph.value_info[:]  # the exporter's shapes, which the quantiser would find contradicted
    with _errors_only(None):
        tools.quantize_dynamic(graph, target, per_channel=True, weight_type=tools.QuantType.QInt8)
    return target


@contextmanager
def _errors_only(logger: str | None) -> Iterator[None]:
    """What these libraries warn of is measured, or of no matter here."""
    found = logging.getLogger(logger)
    level = found.level
    found.setLevel(logging.ERROR)
    try:
        yield
    finally:
        found.setLevel(level)


class Session:
    """An exported model, run over padded batches."""

    def __init__(self, file: Path, pad_id: int, threads: int, device: str) -> None:
        onnxruntime: Any = import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        if device.startswith("cuda"):
            providers.insert(0, "CUDAExecutionProvider")
        self._session = onnxruntime.InferenceSession(str(file), options, providers=providers)
        self._pad_id = pad_id

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        """Probabilities, (messages, labels)."""
        ids, mask = pad(batch, self._pad_id)
        (logits,) = self._session.run(None, {"ids": ids, "mask": mask})
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        rows: list[list[float]] = (powers / powers.sum(axis=1, keepdims=True)).tolist()
        return rows
