"""The times of messages, in whatever way archives write them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Stands for a time that is missing or makes no sense.
NEVER = np.iinfo(np.int64).min
#: Seconds since 1970 between which a message may lie: there was no SMS before 1992, and clocks that say 2100 are wrong.
FIRST = int(np.datetime64("1990-01-01", "s").astype(np.int64))
LAST = int(np.datetime64("2100-01-01", "s").astype(np.int64))

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = (
    r"(?:[T, ]+(?:at )?(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,]\d+)?)?"
    r"[ \x{202f}\x{a0}]*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)
_ZONE = r" *(?P<zone>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
_NAME = r"(?P<name>(?i:" + "|".join(MONTHS) + r"))[a-z]*\.?"
_DAY_NAME = r"(?i:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.]? +)?"

#: Year first; 14 or 8 digits in a row; points; English names of months. Tried in this order.
PATTERNS = (
    r"^(?P<y>\d{4})[-/.](?P<mo>\d{1,2})[-/.](?P<d>\d{1,2})" + _CLOCK + _ZONE + "$",
    r"^(?P<y>\d{4})(?P<mo>\d{2})(?P<d>\d{2})(?:[T ]?(?P<h>\d{2})(?P<mi>\d{2})(?P<s>\d{2})?)?" + _ZONE + "$",
    r"^(?P<d>\d{1,2})\.(?P<mo>\d{1,2})\.(?P<y>\d{4})" + _CLOCK + _ZONE + "$",
    "^" + _DAY_NAME + r"(?P<d>\d{1,2})[ -]" + _NAME + r"[ ,-]+(?P<y>\d{4})" + _CLOCK + _ZONE + "$",
    "^" + _DAY_NAME + _NAME + r" +(?P<d>\d{1,2})(?:st|nd|rd|th)?,? +(?P<y>\d{4})" + _CLOCK + _ZONE + "$",
    "^"
    + _DAY_NAME
    + _NAME
    + r" +(?P<d>\d{1,2}) +(?P<h>\d{1,2}):(?P<mi>\d{2}):(?P<s>\d{2})"
    + _ZONE
    + r" +(?P<y>\d{4})$",
)
#: Two numbers of which either may be the day.
_SLASHES = r"^(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-](?P<y>\d{4})" + _CLOCK + _ZONE + "$"
_NUMBER = r"^\d+(?:\.\d*)?(?:[eE]\+?\d+)?$"
#: Below it, numbers are seconds, then ms, then µs; ns above. Within FIRST and LAST the four do not overlap.
_SECONDS_BELOW = 1e11


class Times:
    """Reads columns of times, batch after batch, and counts what it could not read.

    Known are ISO 8601 (with or without seconds, fraction, zone), numbers since 1970 in s, ms, µs or ns (told apart by
    their size), ``20261105120000``, ``5.11.2026``, ``5 Nov 2026`` and ``Nov 5, 2026 1:05:09 PM``, and ``05/11/2026``,
    where the first batch that settles it says which number is the day.

    Attributes:
        read: times that were read.
        missing: rows without a time.
        unreadable: rows with one that is in no known form, or not from 1990 to 2099.
        zoned: times that came with a zone; they are counted in UTC, the others as they are written.
        order: ``dmy`` or ``mdy``, how dates with slashes are read; None until one is seen.
        settled: whether a number above 12 has shown the order.
    """

    def __init__(self) -> None:
        self.read = 0
        self.missing = 0
        self.unreadable = 0
        self.zoned = 0
        self.order: str | None = None
        self.settled = False

    def seconds(self, values: pa.Array) -> np.ndarray:
        """Shape (rows,): whole seconds since 1970 of each value as int64, NEVER where there is none."""
        if pa.types.is_temporal(values.type):
            result = self._of_timestamps(values)
        else:
            result = self._of_texts(pc.utf8_trim_whitespace(_texts(values)))
        result[(result < FIRST) | (result >= LAST)] = NEVER
        read = int(np.count_nonzero(result != NEVER))
        self.read += read
        self.missing += values.null_count
        self.unreadable += len(values) - values.null_count - read
        return result

    def _of_timestamps(self, values: pa.Array) -> np.ndarray:
        if not (pa.types.is_timestamp(values.type) or pa.types.is_date(values.type)):
            return np.full(len(values), NEVER)
        if getattr(values.type, "tz", None) is not None:
            self.zoned += len(values) - values.null_count
        plain = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        result = plain.fill_null(0).to_numpy(zero_copy_only=False) // 1_000_000
        result[_nulls(values)] = NEVER
        return result

    def _of_texts(self, texts: pa.Array) -> np.ndarray:
        result = np.full(len(texts), NEVER)
        left = np.flatnonzero(~_nulls(texts))
        for read in (self._pattern(PATTERNS[0]), self._numbers, *map(self._pattern, PATTERNS[1:]), self._slashes):
            if not len(left):
                break
            result[left] = read(texts.take(pa.array(left)))
            left = left[result[left] == NEVER]
        return result

    def _pattern(self, pattern: str) -> Callable[[pa.Array], np.ndarray]:
        return lambda texts: self._dates(_fields(texts, pattern))

    def _numbers(self, texts: pa.Array) -> np.ndarray:
        plain = pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, "0").cast(pa.float64())
        value = plain.to_numpy(zero_copy_only=False)
        for _ in range(3):
            value = np.where(value >= _SECONDS_BELOW, value / 1000, value)
        good = (value >= FIRST) & (value < LAST)
        return np.where(good, np.floor(np.where(good, value, 0)).astype(np.int64), NEVER)

    def _slashes(self, texts: pa.Array) -> np.ndarray:
        fields = _fields(texts, _SLASHES)
        a, b = fields["a"], fields["b"]
        if not self.settled and a.any():
            self.settled = bool((a > 12).any() or (b > 12).any())
            self.order = "mdy" if np.count_nonzero(b > 12) > np.count_nonzero(a > 12) else "dmy"
        first, second = ("mo", "d") if self.order == "mdy" else ("d", "mo")
        return self._dates(fields | {first: a, second: b})

    def _dates(self, fields: dict[str, np.ndarray]) -> np.ndarray:
        """Seconds of dates in fields ``y``, ``mo``, ``d``, and what else was found; NEVER where ``y`` is 0."""
        zero = np.zeros_like(fields["y"])
        year, month, day = fields["y"], fields["mo"], fields["d"]
        hour, minute, second = (fields.get(name, zero) for name in ("h", "mi", "s"))
        half = fields.get("half", zero)  # 1 before noon, 2 after, 0 for clocks with 24 hours
        good = (year >= 1900) & (month >= 1) & (month <= 12) & (day >= 1)
        good &= (hour < 24) & (minute < 60) & (second <= 60) & ((half == 0) | ((hour >= 1) & (hour <= 12)))
        months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("M8[M]")
        days = months.astype("M8[D]") + np.where(good, day - 1, 0)
        good &= days.astype("M8[M]") == months  # no 31st of June
        hour = np.where(half > 0, hour % 12 + 12 * (half == 2), hour)
        seconds = days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second - fields["offset"]
        self.zoned += int(np.count_nonzero(good & (fields["zoned"] > 0)))
        return np.where(good, seconds, NEVER)


def _texts(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):  # as text, large ones could lose digits
        return pa.array([None if value is None else repr(value) for value in values.to_pylist()], pa.large_string())
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return pa.array([None if value is None else "" for value in values.to_pylist()], pa.large_string())
    return values.cast(pa.large_string())


def _nulls(values: pa.Array) -> np.ndarray:
    return values.is_null().to_numpy(zero_copy_only=False)


def _fields(texts: pa.Array, pattern: str) -> dict[str, np.ndarray]:
    """Shape (rows,) each: the groups of ``pattern`` as int64, 0 where absent; zones as ``offset`` and ``zoned``."""
    found = pc.extract_regex(texts, pattern)
    names = [found.type.field(index).name for index in range(found.type.num_fields)]
    parts = {name: pc.fill_null(pc.struct_field(found, name), "") for name in names}
    zone, half, name = (parts.pop(key, None) for key in ("zone", "half", "name"))
    fields = {key: _integers(part) for key, part in parts.items()}
    zero = np.zeros(len(texts), np.int64)
    fields["offset"], fields["zoned"] = _zone(zone) if zone is not None else (zero, zero)
    if half is not None:
        first = pc.utf8_lower(pc.utf8_slice_codeunits(half, 0, 1))
        fields["half"] = _one_of(first, ("a", "p"))
    if name is not None:
        fields["mo"] = _one_of(pc.utf8_lower(name), MONTHS)
    return fields


def _integers(part: pa.Array) -> np.ndarray:
    return pc.if_else(pc.equal(part, ""), "0", part).cast(pa.int64()).to_numpy(zero_copy_only=False).copy()


def _one_of(part: pa.Array, names: tuple[str, ...]) -> np.ndarray:
    """1 for the first name, 2 for the second, …; 0 for none of them."""
    at = pc.index_in(part, pa.array(names, part.type))
    return pc.fill_null(at, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1


def _zone(zone: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Seconds east of Greenwich, and 1 where there is a zone at all."""
    zoned = pc.not_equal(zone, "").to_numpy(zero_copy_only=False).astype(np.int64)
    digits = pc.replace_substring_regex(zone, "[^0-9]", "")
    digits = pc.utf8_rpad(digits, 4, "0")
    minutes = np.zeros(len(zone), np.int64)
    if zoned.any():
        number = digits.cast(pa.int64()).to_numpy(zero_copy_only=False)
        minutes = number // 100 * 60 + number % 100
    west = pc.starts_with(zone, "-").to_numpy(zero_copy_only=False)
    return np.where(west, -minutes, minutes) * 60, zoned
