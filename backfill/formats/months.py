"""Names of months, as chats and their exports write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

#: How the names of the twelve months begin, by language; ``|`` between two ways to write one. Longer names of them
#: begin with these, but for none of another month in the same language.
BEGINNINGS = {
    "en": "jan feb mar apr may jun jul aug sep oct nov dec",
    "es": "ene feb mar abr may jun jul ago sep|set oct nov dic",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "fr": "jan fév|fev mars|mar avr mai juin|jun juil|jul aoû|aou sep oct nov déc|dec",
    "de": "jan|jän feb mär|mrz|mar apr mai jun jul aug sep okt nov dez",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "nl": "jan feb maa|mrt|mar apr mei jun jul aug sep okt nov dec",
    "da": "jan feb mar apr maj|mai jun jul aug sep okt nov dec|des",
    "id": "jan feb mar|mac apr mei jun jul|jula agu|agt|ogo|ogos sep okt nov des|dis",
    "ca": "gen feb mar abr mai jun|juny jul ag set oct nov des",
    "ro": "ian feb mar apr mai iun iul aug sep oct noi|nov dec",
    "hu": "jan feb már|mar ápr máj jún júl aug sze okt nov dec",
    "pl": "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "cs": "led úno bře dub kvě červn|čvn|čer červe|čvc srp zář říj lis pro",
    "sk": "jan feb mar apr máj jún júl aug sep okt nov dec",
    "hr": "sij velj ožu tra svi lip srp kol ruj lis stu pro",
    "sl": "jan feb mar apr maj jun jul avg sep okt nov dec",
    "fi": "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
    "tr": "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "ru": "янв фев мар апр мая|май июн июл авг сен окт ноя дек",
    "uk": "січ лют бер кві тра чер лип сер вер жов лис гру",
    "bg": "яну фев мар апр май юни юли авг сеп окт ное дек",
    "el": "ιαν φεβ μαρ|μάρ απρ μαΐ|μαϊ|μαι|μάι ιουν|ιούν ιουλ|ιούλ αυγ|αύγ σεπ οκτ νοε|νοέ δεκ",
    "he": "ינו פבר מרץ|מרס אפר מאי יונ יול אוג ספט אוק נוב דצמ",
    "ar": "ينا فبر مار أبر|ابر ماي يوني يولي أغس|اغس سبت أكت|اكت نوف ديس",
    "fa": "ژان فور مارس آور مه ژوئن ژوئی اوت سپت اکت نوا دسا",
    "hi": "जन फ़र|फर मार्च अप्रै मई जून जुल अग सित अक्तू|अक्टू नव दिस",
    "th": "มค|มกรา กพ|กุมภา มีค|มีนา เมย|เมษา พค|พฤษภา มิย|มิถุนา กค|กรกฎา สค|สิงหา กย|กันยา ตค|ตุลา พย|พฤศจิกา ธค|ธันวา",
}
LANGUAGES = tuple(BEGINNINGS)
_MONTHS = {
    language: [(begin, number) for number, names in enumerate(line.split(), 1) for begin in names.split("|")]
    for language, line in BEGINNINGS.items()
}
_THAI = {"มี.ค", "เม.ย", "มิ.ย"}
#: Marks of the direction of writing, and what Hebrew shortens with.
_AROUND = "\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069'׳"
_WORDS = re.compile(r"[^\s\d,،/\[\]()-]{2,}")


def month_of(text: str, languages: Sequence[str] = LANGUAGES) -> int | None:
    """The month, 1..12, that a date names: its last word that is one, for a day of the week stands before it."""
    return next((found[1] for language in languages if (found := _found(text, language)) is not None), None)


def languages_of(dates: Collection[str]) -> Sequence[str]:
    """The languages that know the month of each of ``dates``, best first; all languages if none does."""
    scores = {}
    for language in LANGUAGES:
        found = [_found(date, language) for date in dates]
        if all(found):
            scores[language] = sum(one[0] for one in found if one is not None)
    return sorted(scores, key=lambda language: -scores[language]) or LANGUAGES


def pattern() -> str:
    """A regular expression for a word that begins as a month does."""
    begins = {begin for months in _MONTHS.values() for begin, _ in months}
    # Those of two letters are Thai, which has dots and vowels behind each of them.
    dotted = {re.escape(begin) if len(begin) > 2 else r"\.?".join(begin) for begin in begins} | _THAI
    return rf"(?:ב|de\s)?(?:{'|'.join(sorted(dotted, reverse=True))})[^\s\d,،:\[\]/-]{{0,12}}"


def _found(text: str, language: str) -> tuple[int, int] | None:
    """How many characters of a month's name are known, and the month."""
    for word in reversed(_WORDS.findall(text)):
        bare = word.lower().replace(".", "").strip(_AROUND).removeprefix("ב")
        begins = [(len(begin), number) for begin, number in _MONTHS[language] if bare.startswith(begin)]
        if begins:
            return max(begins)
    return None
