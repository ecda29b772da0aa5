"""The texts that the model is surest and least sure of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sluice.backfill.report.examples import COUNT, KEEP_CHARS, Examples


def gather(rows: list[tuple[str, int, float]], batch: int) -> Examples:
    result = Examples()
    for at in range(0, len(rows), batch):
        texts, labels, probabilities = zip(*rows[at : at + batch], strict=True)
        result.add(pa.array(texts, pa.large_string()), np.array(labels), np.array(probabilities))
    return result


def test_both_ends_are_found_whatever_the_batches() -> None:
    rows = [(f"t{at}", at % 2, ((at * 37) % 100) / 100) for at in range(100)]
    expected = sorted(((p, text) for text, label, p in rows if label == 0), reverse=True)
    for batch in (1, 7, 100):
        found = gather(rows, batch)
        assert found.surest[0] == expected[:COUNT]
        assert found.least[0] == expected[::-1][:COUNT]
        assert set(found.surest) == {0, 1}


def test_a_text_that_comes_again_takes_one_place_only() -> None:
    rows = [("same", 0, 0.99)] * 50 + [("other", 0, 0.98), ("third", 0, 0.97)]
    for batch in (10, 52):
        assert [text for _, text in gather(rows, batch).surest[0]] == ["same", "other", "third"]


def test_rows_without_a_label_are_left_out_and_long_texts_cut() -> None:
    found = gather([("bad", -1, 0.0), ("x" * 9_999, 0, 0.5)], 2)
    assert found.surest == {0: [(0.5, "x" * KEEP_CHARS)]}
