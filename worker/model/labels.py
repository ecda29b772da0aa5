"""The names a model's head gives its classes, brought to one spelling."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.tasks.errors import ModelUnavailable

HAM = "ham"
LABELS = (HAM, "spam", "phishing")
"""OpenTextShield's classes, in the order of its models' outputs."""

SYNONYMS = {
    "legit": "ham",
    "legitimate": "ham",
    "normal": "ham",
    "benign": "ham",
    "safe": "ham",
    "not spam": "ham",
    "not_spam": "ham",
    "no spam": "ham",
    "smishing": "phishing",
    "scam": "phishing",
    "fraud": "phishing",
    "junk": "spam",
}

HARMLESS = frozenset({HAM, *(name for name, label in SYNONYMS.items() if label == HAM)})
"""Labels that nobody flags or blocks, whatever a folder says."""


def read_labels(id2label: Mapping[int, str]) -> tuple[str, ...]:
    """Lower-cases the names and maps synonyms; unnamed heads of 2 or 3 classes get OpenTextShield's order.

    Raises ModelUnavailable when the classes cannot be told.
    """
    names = [str(id2label[index]).strip().lower() for index in sorted(id2label)]
    if len(names) < 2:
        raise ModelUnavailable(
            f"The model has {len(names)} label(s), 2 or more are needed: set SLUICE_MODEL to another."
        )
    if all(name == f"label_{index}" for index, name in enumerate(names)):
        return _unnamed(len(names))
    mapped = [SYNONYMS.get(name, name) for name in names]
    if len(set(mapped)) == len(mapped):
        return tuple(mapped)
    if len(set(names)) == len(names):
        return tuple(names)
    raise ModelUnavailable(
        f"The model names two labels alike ({', '.join(names)}): correct id2label in its config.json."
    )


def _unnamed(count: int) -> tuple[str, ...]:
    if count > len(LABELS):
        raise ModelUnavailable(
            f"The model has {count} labels without names: name them in its config.json (id2label), "
            "or set SLUICE_MODEL to another."
        )
    return LABELS[:count]
