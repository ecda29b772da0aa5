"""Gates: the least and the most that a model's figures may be, by pool and language, from a TOML file.

[default]                          every pool, as far as a figure means something there
ece_max = 0.1

[pools.notices]                    one pool; wins over [default]
ham_blocked_max = 0.05

[pools.notices.languages.de]       the pool's messages of one language
ham_blocked_max = 0.1
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sluice.training.intervals import Estimate
from sluice.training.measures import MEASURES, applicable
from sluice.training.predictions import Predictions
from sluice.training.results import PoolResult

KEPT = "kept"
LIMITS = tuple(sorted(f"{name}_{end}" for name in MEASURES if name != KEPT for end in ("min", "max")))
DISGUISED = "disguised"
"""Stands for a pool where the rule is one of a style, which then stands for a language."""


class GateError(ValueError):
    """A gate that cannot be used; the message names the file, the table and the key."""


@dataclass(frozen=True)
class Rule:
    """One limit of one figure."""

    pool: str
    language: str
    """Empty: all of the pool."""
    measure: str
    floor: bool
    """Whether the limit is the least, else the most."""
    limit: float


@dataclass(frozen=True)
class Failure:
    """A rule that was not kept."""

    rule: Rule
    found: Estimate

    @property
    def by(self) -> float:
        """How much is missing, or too much."""
        return abs(self.found.value - self.rule.limit)


def read_gate(path: Path, pools: Mapping[str, Predictions], styles: Sequence[str] = ()) -> list[Rule]:
    """The rules of a file for the `pools` that were given, by name. Only truth and labels of the answers are read.

    Raises GateError for a file that is no TOML, an unknown table, pool, language or key, a value that is no share,
    a floor over its ceiling, a figure that the pool has no messages for, and for a file that limits nothing.

    Args:
        styles: of disguise, where copies are scored.
    """
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GateError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GateError(f"{path}: not valid TOML ({error}).") from None
    _known(stated, ("default", "pools", DISGUISED), path, "the file", "table")
    default, named = _table(stated, "default", path, ""), _table(stated, "pools", path, "")
    _known(named, tuple(pools), path, "[pools]", "pool", "the pools given are")
    rules = [*_rules(path, default, named, pools), *_style_rules(path, _table(stated, DISGUISED, path, ""), styles)]
    if not rules:
        raise GateError(f"{path}: it limits nothing of the pools given.")
    return rules


def failures(
    rules: Sequence[Rule], results: Sequence[PoolResult], disguised: Mapping[str, Estimate] | None = None
) -> list[Failure]:
    """The rules that the figures break; the figures themselves count, not their intervals.

    Raises GateError for a style that changes none of the messages that are blocked in plain writing.
    """
    found: dict[tuple[str, str], Mapping[str, Estimate]] = {(one.pool.name, ""): one.estimates for one in results}
    found |= {(one.pool.name, language): part for one in results for language, part in one.languages.items()}
    found |= {(DISGUISED, style): {KEPT: one} for style, one in (disguised or {}).items()}
    broken = []
    for rule in rules:
        estimate = found.get((rule.pool, rule.language), {}).get(rule.measure)
        if estimate is None:
            raise GateError(
                f"[{DISGUISED}] {rule.language}_min cannot be measured: it changes no message that is blocked."
            )
        if estimate.value < rule.limit if rule.floor else estimate.value > rule.limit:
            broken.append(Failure(rule, estimate))
    return broken


def _rules(
    path: Path, default: Mapping[str, Any], named: Mapping[str, Any], pools: Mapping[str, Predictions]
) -> Iterator[Rule]:
    ceilings = _limits(path, "[default]", default)
    for name, predictions in pools.items():
        own = dict(_table(named, name, path, "pools."))
        languages = own.pop("languages", {})
        where = f"[pools.{name}]"
        limits = _limits(path, where, own)
        possible = applicable(predictions)
        _possible(path, where, limits, possible)
        merged = {key: value for key, value in ceilings.items() if _measure(key) in possible} | limits
        yield from _made(path, where, name, "", merged)
        parts = predictions.by_language()
        if not isinstance(languages, dict):
            raise GateError(f"{path}: {where} languages is no table: write [pools.{name}.languages.LANGUAGE].")
        _known(languages, tuple(parts), path, f"[pools.{name}.languages]", "language", "the pool's languages are")
        for language in languages:
            where = f"[pools.{name}.languages.{language}]"
            limits = _limits(path, where, _table(languages, language, path, f"pools.{name}.languages."))
            _possible(path, where, limits, applicable(parts[language]))
            yield from _made(path, where, name, language, limits)


def _style_rules(path: Path, floors: Mapping[str, Any], styles: Sequence[str]) -> Iterator[Rule]:
    if floors and not styles:
        raise GateError(f"{path}: [{DISGUISED}] needs --disguised.")
    known = {f"{style}_min": style for style in styles}
    _known(floors, tuple(known), path, f"[{DISGUISED}]", "key")
    for key, limit in _shares(path, f"[{DISGUISED}]", floors).items():
        yield Rule(DISGUISED, known[key], KEPT, True, limit)


def _made(path: Path, where: str, pool: str, language: str, limits: Mapping[str, float]) -> Iterator[Rule]:
    for key, limit in limits.items():
        measure = _measure(key)
        if limits.get(f"{measure}_min", 0) > limits.get(f"{measure}_max", 1):
            raise GateError(f"{path}: {where} {measure}_min is over {measure}_max: nothing could pass.")
        yield Rule(pool, language, measure, key.endswith("_min"), limit)


def _limits(path: Path, where: str, table: Mapping[str, Any]) -> dict[str, float]:
    """The limits of one table, checked by name and value."""
    _known(table, LIMITS, path, where, "key")
    return _shares(path, where, table)


def _shares(path: Path, where: str, table: Mapping[str, Any]) -> dict[str, float]:
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise GateError(f"{path}: {where} {key} must be a number from 0 to 1, not {value!r}.")
    return {key: float(value) for key, value in table.items()}


def _possible(path: Path, where: str, limits: Mapping[str, float], possible: Sequence[str]) -> None:
    for key in limits:
        if _measure(key) not in possible:
            why = "the model's folder has no thresholds" if key.startswith("verdict_") else "no message counts for it"
            raise GateError(f"{path}: {where} {key} cannot be measured here: {why}.")


def _known(
    given: Mapping[str, Any], known: Sequence[str], path: Path, where: str, kind: str, they_are: str = "it takes"
) -> None:
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"{they_are} {', '.join(known) or 'none'}."
            raise GateError(f"{path}: {where} has an unknown {kind}, {name!r}: {hint}")


def _table(given: Mapping[str, Any], name: str, path: Path, prefix: str) -> Mapping[str, Any]:
    table = given.get(name, {})
    if not isinstance(table, dict):
        raise GateError(f"{path}: {prefix}{name} is no table: write [{prefix}{name}].")
    return table


def _measure(key: str) -> str:
    return key.rpartition("_")[0]
