"""Characters that nobody sees: removed where they mean nothing.

The joiners U+200C and U+200D have a meaning after a virama, between Arabic letters and within emoji. Sprinkled over a
text they stand there by chance too, so where many mean nothing, all go.
"""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"
VARIANTS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
BLANKS = {0x2800: " ", 0x3164: " ", 0xFFA0: " "}
"""Letters that look like a space."""
ALWAYS = re.compile(
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]+"
)
STRETCHING = re.compile("\u0640+")
TAGS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+")
VIRAMAS = "".join(chr(code) for code in range(0x0900, 0x1100) if unicodedata.combining(chr(code)) == 9)
EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
VARIANT = re.compile(
    f"(?<![{EMOJI}\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299])[{VARIANTS}]+(?!\u20e3)"
)
ARABIC = "\u0620-\u064a\u066e-\u06d3\u06d5\u06fa-\u06ff\u0750-\u077f"
UNJOINED = (
    "\u0621-\u0625\u0627\u0629\u062f-\u0632\u0648\u0649\u0671-\u0673\u0675-\u0677"
    "\u0688-\u0699\u06c0\u06c3-\u06cb\u06cd\u06cf\u06d2\u06d3\u06d5\u06ee\u06ef"
)
"""Arabic letters that never join the next one."""
MEANT = (
    f"(?<=[{VIRAMAS}])|(?<=\u09b0)(?=[{JOINERS}]\u09cd)|(?<=[{EMOJI}\ufe0f])(?=\u200d[{EMOJI}])"
    f"|(?<=[{ARABIC}])(?<![{UNJOINED}])(?=\u200c[{ARABIC}])"
)
IDLE = re.compile(f"(?!{MEANT})[{JOINERS}]")
LIGATURE = re.compile("(?<=\u0dca)(?=[\u0dba\u0dbb])")
"""Where Sinhala always joins: yansaya and rakaransaya."""
WITHIN_EMOJI = re.compile(f"(?<=[{EMOJI}\ufe0f])\u200d(?=[{EMOJI}])")


def visible(text: str) -> str:
    """The text without characters that have neither shape nor meaning."""
    text = STRETCHING.sub("", TAGS.sub("", ALWAYS.sub("", text.translate(BLANKS))))
    text = VARIANT.sub("", text)
    if "\u200c" not in text and "\u200d" not in text:
        return text
    bare, idle = IDLE.subn("", text)
    if idle < 2 or 2 * idle < bare.count("\u200c") + bare.count("\u200d"):
        return bare
    within = "\ue000" if "\ue000" not in bare else ""
    bare = WITHIN_EMOJI.sub(within, bare).replace("\u200c", "").replace("\u200d", "")
    return LIGATURE.sub("\u200d", bare.replace(within, "\u200d") if within else bare)
