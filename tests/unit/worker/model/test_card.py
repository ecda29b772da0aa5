"""What a model folder states about itself, and what is refused of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.card import model_info
from sluice.worker.model.simulated import SimulatedClassifier, parse_options
from sluice.worker.model.thresholds import Threshold

LABELS = ("ham", "spam", "phishing")


def info(folder: Path, card: str, labels: tuple[str, ...] = LABELS) -> ModelInfo:
    (folder / "sluice.json").write_text(card, encoding="utf-8")
    return model_info("spec", folder, {}, labels)


def test_without_a_word_about_them_the_temperature_is_1_and_there_are_no_thresholds(tmp_path: Path) -> None:
    for found in (
        model_info("spec", tmp_path, {}, LABELS),
        info(tmp_path, '{"temperature": null, "thresholds": null}'),
    ):
        assert (found.temperature, found.thresholds) == (1.0, None)


def test_temperature_and_thresholds_are_read(tmp_path: Path) -> None:
    card = {"temperature": 2, "thresholds": {"phishing": {"flag": 0.5, "block": 0.9}, "spam": {"block": 1}}}
    found = info(tmp_path, json.dumps(card))
    assert found.temperature == 2.0
    assert found.thresholds == {"phishing": Threshold(0.5, 0.9), "spam": Threshold(None, 1.0)}


def test_labels_may_have_the_names_that_the_model_itself_gives_them(tmp_path: Path) -> None:
    found = info(tmp_path, '{"thresholds": {" Smishing": {"flag": 0.5}}}')
    assert found.thresholds == {"phishing": Threshold(0.5)}
    own = info(tmp_path, '{"thresholds": {"smishing": {"flag": 0.5}}}', ("ham", "smishing", "phishing"))
    assert own.thresholds == {"smishing": Threshold(0.5)}


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ('{"temperature": "2"}', "temperature must be a number from 0.01 to 100, not '2'"),
        ('{"temperature": true}', "temperature must be a number from 0.01 to 100, not True"),
        ('{"temperature": 0}', "temperature must be a number from 0.01 to 100, not 0"),
        ('{"temperature": -1.5}', "temperature must be a number from 0.01 to 100, not -1.5"),
        ('{"temperature": NaN}', "temperature must be a number from 0.01 to 100, not nan"),
        ('{"temperature": Infinity}', "temperature must be a number from 0.01 to 100, not inf"),
        ('{"thresholds": []}', "thresholds must be an object with a label or more of ham, spam, phishing, not []"),
        ('{"thresholds": {}}', "thresholds must be an object with a label or more of ham, spam, phishing, not {}"),
        ('{"thresholds": {"phish": {"flag": 0.5}}}', "thresholds.phish is no label of the model (ham, spam, phishing)"),
        ('{"thresholds": {"ham": {"flag": 0.5}}}', "thresholds.ham cannot be: ham is never flagged or blocked"),
        ('{"thresholds": {"legit": {"flag": 0.5}}}', "thresholds.legit cannot be: ham is never flagged or blocked"),
        (
            '{"thresholds": {"scam": {"flag": 0.5}, "phishing": {"flag": 0.6}}}',
            "thresholds.phishing names a label twice",
        ),
        ('{"thresholds": {"spam": 0.5}}', 'thresholds.spam must be an object with "flag", "block" or both, not 0.5'),
        ('{"thresholds": {"spam": {}}}', 'thresholds.spam must be an object with "flag", "block" or both, not {}'),
        ('{"thresholds": {"spam": {"flags": 0.5}}}', 'thresholds.spam must be an object with "flag", "block" or both'),
        ('{"thresholds": {"spam": {"flag": "0.5"}}}', "thresholds.spam.flag must be a number from 0 to 1, not '0.5'"),
        ('{"thresholds": {"spam": {"block": 1.01}}}', "thresholds.spam.block must be a number from 0 to 1, not 1.01"),
        ('{"thresholds": {"spam": {"block": -0.1}}}', "thresholds.spam.block must be a number from 0 to 1, not -0.1"),
        ('{"thresholds": {"spam": {"flag": NaN}}}', "thresholds.spam.flag must be a number from 0 to 1, not nan"),
        ('{"thresholds": {"spam": {"flag": false}}}', "thresholds.spam.flag must be a number from 0 to 1, not False"),
        ('{"thresholds": {"spam": {"flag": null, "block": 0.5}}}', "thresholds.spam.flag must be a number from 0 to 1"),
        ('{"thresholds": {"spam": {"flag": 0.9, "block": 0.8}}}', "thresholds.spam.flag is 0.9, over its block of 0.8"),
        ("{broken", "is not JSON in UTF-8"),
        ("[1]", "holds no JSON object"),
    ],
)
def test_what_cannot_be_is_one_line_with_file_and_field(tmp_path: Path, card: str, said: str) -> None:
    with pytest.raises(ModelUnavailable) as raised:
        info(tmp_path, card)
    message = raised.value.message
    assert message.startswith(str(tmp_path / "sluice.json"))
    assert said in message
    assert "\n" not in message


def test_a_simulated_model_has_the_thresholds_that_it_is_given() -> None:
    assert SimulatedClassifier(parse_options("simulated:?batch_ms=0")).info.thresholds is None
    given = SimulatedClassifier(parse_options("simulated:?flag=0.6&block=0.8")).info.thresholds
    assert given == {"spam": Threshold(0.6, 0.8), "phishing": Threshold(0.6, 0.8)}
    for wrong in ("flag=0.9&block=0.8", "block=1.5"):
        with pytest.raises(ModelUnavailable, match=r"SLUICE_MODEL: thresholds\.spam"):
            parse_options(f"simulated:?{wrong}")
