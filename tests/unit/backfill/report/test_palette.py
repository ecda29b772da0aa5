"""Labels can be told apart by everybody, on light and on dark pages."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from sluice.backfill.report.palette import DARK, HATCHES, LIGHT, Theme, styles

#: What is left of linear RGB without the long-wave cones (protanopia) and without the middle ones (deuteranopia):
#: Viénot, Brettel and Mollon, "Digital video colourmaps for checking the legibility of displays by dichromats", 1999.
BLINDNESS = {
    "protanopia": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deuteranopia": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    "none": np.eye(3),
}


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    f = np.cbrt(np.maximum(xyz / np.array([0.9505, 1.0, 1.089]), 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_colours_of_ham_spam_and_phishing_differ_for_everybody(theme: Theme, blindness: str) -> None:
    seen = [lab(np.clip(BLINDNESS[blindness] @ linear(colour), 0, 1)) for colour in theme.labels[:3]]
    assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) > 20


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_the_colours_of_ham_spam_and_phishing_differ_in_lightness(theme: Theme) -> None:
    light = sorted(lab(linear(colour))[0] for colour in theme.labels[:3])
    assert min(np.diff(light)) > 9


def test_twenty_labels_all_look_different() -> None:
    for labels in (["ham", "spam", "phishing"], [f"label {at}" for at in range(20)], ["spam", "scam", "fraud", "x"]):
        chosen = styles(labels)
        assert len(set(chosen)) == len(labels)
        assert all(colour < len(LIGHT.labels) and round_ < len(HATCHES) for colour, round_ in chosen)


def test_known_labels_keep_their_colours_whatever_else_there_is() -> None:
    assert styles(["phishing", "ham", "other", "Spam"]) == [(2, 0), (0, 0), (3, 0), (1, 0)]
    assert len(LIGHT.labels) == len(DARK.labels)
