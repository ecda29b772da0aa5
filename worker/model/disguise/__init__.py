"""Undoes disguises in a text before the tokenizer sees it: what a reader sees through, a model need not learn."""

from __future__ import annotations

from sluice.worker.model.disguise.normalizer import KEY, NORMALIZATION, Normalizer, make_normalizer, read_normalizer

__all__ = ["KEY", "NORMALIZATION", "Normalizer", "make_normalizer", "read_normalizer"]
