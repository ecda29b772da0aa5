"""How large a batch needs to be: from the fitted cost of a device to a budget of tokens. Pure."""

from __future__ import annotations

import math

#: Share of its own time that a batch may spend on the fixed cost. With a tenth, mBERT's shape on a CPU drained a queue
#: at 0.91 of the rate of its batches of 64; with a twentieth, an archive at 0.83.
OVERHEAD_SHARE = 0.03
#: Products of fewer rows do not reach a CPU's peak.
ROWS = 256
#: Batches this short, seconds, are never cut smaller: nobody notices the wait for one.
SHORT_S = 0.1


def batch_tokens(a_s: float, b_s: float, messages: int, longest: int) -> int:
    """The fewest tokens of a batch that keep the device busy with tokens; 0 where the limit of messages says it all.

    A batch costs ``a + b * tokens``, so beyond ``a / b * (1 / share - 1)`` tokens a larger one hardly runs faster per
    token, and makes everybody behind it wait longer.

    Args:
        a_s: seconds a batch costs, whatever is in it.
        b_s: seconds a token adds.
        messages: most messages in a batch.
        longest: tokens of the longest message.
    """
    if b_s <= 0:
        return 0
    enough = max(a_s / b_s * (1 / OVERHEAD_SHARE - 1), (SHORT_S - a_s) / b_s, ROWS, longest)
    return math.ceil(enough) if enough < messages * longest else 0
