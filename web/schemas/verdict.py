"""What answers and results say of the verdict."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["allow", "flag", "block"]
VERDICT = "what to do; there if `verdict` was sent or the server always says it; null if the model has no thresholds"
RULE = "the rule that decided: label, >= or <, threshold; in brackets behind it the policy, if that mattered"
