"""A sequence classifier on torch: device, precision, padded batches, calibrated softmax."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.encoder import TextEncoder

OUT_OF_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "_ALLOC_FAILED")
DEVICE_LOST_WORDS = ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS", "device-side assert", "HIP error")
WARM_UP_LENGTHS = (8, 32, 96)


def choose_device(name: str) -> torch.device:
    """Resolves "auto", "cpu", "cuda" or "cuda:N".

    Raises ModelUnavailable when the device is unknown or absent.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelUnavailable(f"{name!r} is no device: set SLUICE_DEVICE to auto, cpu, cuda or cuda:N.") from None
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise ModelUnavailable(f"Device {name!r} is not supported: set SLUICE_DEVICE to auto, cpu, cuda or cuda:N.")
    if not torch.cuda.is_available():
        raise ModelUnavailable(f"SLUICE_DEVICE is {name}, but no CUDA device was found: set it to auto or cpu.")
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise ModelUnavailable(
            f"SLUICE_DEVICE is {name}, but there are only {torch.cuda.device_count()} CUDA devices: set cuda:0."
        )
    return torch.device("cuda", index)


class TorchClassifier:
    """Runs a library model over padded batches.

    Args:
        precision: as torch names it ("float32", "float16", "bfloat16"), or "int8" for a model that is made so already.
    """

    padded = True

    def __init__(
        self,
        model: nn.Module,
        encoder: TextEncoder,
        labels: Sequence[str],
        info: ModelInfo,
        device: torch.device,
        precision: str,
    ) -> None:
        self.info = info
        self.labels = tuple(labels)
        self.device = str(device)
        self.precision = precision
        self._device = device
        self._encoder = encoder
        self.unknown_id: int | None = encoder.unknown_id
        dtype = torch.float32 if precision == "int8" else getattr(torch, precision)
        self._model = model.to(device=device, dtype=dtype).eval()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with special tokens, cut to the text limit."""
        return self._encoder.encode(texts)

    @torch.inference_mode()
    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        """Probabilities shaped (messages, labels).

        Raises what the device raises; `is_out_of_memory` and `is_fatal` tell those apart.
        """
        if not batch:
            return []
        rows: list[list[float]] = self._probabilities(self.logits(batch)).tolist()
        return rows

    def _probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Calibrated probabilities, float32 (messages, labels)."""
        logits = logits.float()
        if self.info.temperature != 1:
            logits = logits / self.info.temperature
        return torch.softmax(logits, dim=-1)

    def logits(self, batch: Sequence[list[int]]) -> torch.Tensor:
        """Logits, (messages, labels), of a batch padded to its longest message."""
        ids, mask = pad(batch, self._encoder.pad_id)
        result: torch.Tensor = self._model(
            input_ids=torch.from_numpy(ids).to(self._device),
            attention_mask=torch.from_numpy(mask).to(self._device),
        ).logits
        return result

    def warm_up(self, max_batch: int) -> None:
        """Runs short, middling and full-length batches: all of `max_batch` on CUDA, small ones on a CPU."""
        rows = max_batch if self._device.type == "cuda" else 1
        for length in WARM_UP_LENGTHS:
            message = [self._encoder.unknown_id] * min(length, self._encoder.max_length)
            self.forward([message] * max(1, rows))

    def is_out_of_memory(self, exc: BaseException) -> bool:
        """Whether the device had too little memory for the batch; what is cached is then given back."""
        if not (isinstance(exc, MemoryError) or _says(exc, torch.OutOfMemoryError, OUT_OF_MEMORY_WORDS)):
            return False
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return True

    def is_fatal(self, exc: BaseException) -> bool:
        """Whether CUDA failed for another reason than memory: its context is then unusable."""
        if _says(exc, torch.OutOfMemoryError, OUT_OF_MEMORY_WORDS):
            return False
        return _says(exc, torch.AcceleratorError, DEVICE_LOST_WORDS)


def pad(batch: Sequence[list[int]], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and attention mask, both int64 shaped (messages, longest)."""
    longest = max(len(ids) for ids in batch)
    ids = np.full((len(batch), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(batch), longest), dtype=np.int64)
    for row, message in enumerate(batch):
        ids[row, : len(message)] = message
        mask[row, : len(message)] = 1
    return ids, mask


def _says(exc: BaseException, kind: type[BaseException], words: Sequence[str]) -> bool:
    if isinstance(exc, kind):
        return True
    return isinstance(exc, RuntimeError) and any(word.lower() in str(exc).lower() for word in words)
