"""Colours of labels and surfaces, for light and for dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Labels with a colour of their own by name. They differ in lightness too, so nobody needs to see red and green.
KIND = {
    **dict.fromkeys(("ham", "legit", "legitimate", "normal", "benign", "safe", "ok", "clean"), 0),
    **dict.fromkeys(("spam", "promotion", "advert"), 1),
    **dict.fromkeys(("phishing", "smishing", "scam", "fraud", "malicious"), 2),
}
#: Lines over a colour when there are more labels than colours, by round: plain, striped, crossed.
HATCHES = ("", "////", "xxxx")


@dataclass(frozen=True, slots=True)
class Theme:
    """Surfaces as the console page has them; ``labels`` begin with those of KIND."""

    name: str
    ink: str
    muted: str
    card: str
    line: str
    accent: str
    labels: tuple[str, ...]


LIGHT = Theme(
    "light", "#12262a", "#5a7176", "#ffffff", "#d8e3e4", "#0d7d72",
    ("#2a9d7f", "#f2b84b", "#a3193b", "#3f6fb5", "#c98bb9", "#7fc4e8", "#7a6653", "#9aa5a8"),
)  # fmt: skip
DARK = Theme(
    "dark", "#e4eeee", "#93aaae", "#16272b", "#27414a", "#4fc3b5",
    ("#4cc09f", "#f8d98e", "#d9435f", "#6f9be0", "#dba7cd", "#a5dcf7", "#b59a80", "#8d9a9d"),
)  # fmt: skip


def styles(labels: Sequence[str]) -> list[tuple[int, int]]:
    """One ``(colour, round)`` per label, all different: numbers into ``Theme.labels`` and HATCHES."""
    chosen: dict[str, tuple[int, int]] = {}
    for label in labels:
        kind = KIND.get(label.casefold())
        if kind is not None and (kind, 0) not in chosen.values():
            chosen[label] = (kind, 0)
    colours = len(LIGHT.labels)
    free = [(colour, round_) for round_ in range(len(HATCHES)) for colour in (*range(3, colours), 0, 1, 2)]
    free = [style for style in free if style not in chosen.values()]
    for number, label in enumerate(label for label in labels if label not in chosen):
        chosen[label] = free[number % len(free)]
    return [chosen[label] for label in labels]
