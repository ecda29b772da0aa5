"""Which columns hold the text, the sender and the time."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from sluice.backfill.formats.base import SENDER_NAMES, TEXT_NAMES, TIME_NAMES
from sluice.backfill.run.facts import Names, Option, Quoted
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Roles
from sluice.tasks.errors import NoMessages, UnreadableArchive
from sluice.tasks.sentence import Sentence

#: Words in names of columns that say "message" or "text" in other languages, or with something beside them.
TEXT_WORDS = re.compile(
    r"text|messag|(?:^|[^a-z])(?:msg|sms|body|content)(?:$|[^a-z])|nachricht|inhalt|mensaje|mensagem|contenido|conteudo"
    r"|conteúdo|messaggio|testo|contenuto|contenu|bericht|inhoud|wiadomo|tre[sś][cć]|meddelande|besked|melding|viesti"
    r"|mesaj|metin|zpráva|zprava|správa|üzenet|uzenet|mesaj|pesan|tin nhắn|nội dung|сообщ|текст|повідом|съобщ|μήνυμα"
    r"|κείμενο|הודעה|رسالة|نص|पाठ|संदेश|ข้อความ|短信|消息|内容|信息|訊息|簡訊|本文|メッセージ|문자|메시지|내용",
    re.IGNORECASE,
)
#: A field of so many words in the first line is a message of a table without a header.
SENTENCE_WORDS = 5


def roles_of(
    input_name: str, names: Sequence[str], options: ReadOptions, textless: Collection[str] = frozenset()
) -> Roles:
    """The roles of the columns ``names`` of ``input_name``: as the options say, else by the usual names.

    Args:
        textless: columns that hold no text at all, whatever they are called.

    Raises:
        NoMessages: no column holds texts, as far as names tell.
        UnreadableArchive: one that the options name is not there, or one that they do not name may hold texts.
    """
    by_name = {name.strip().lower(): name for name in reversed(names)}
    with_text = {name.strip().lower(): name for name in reversed(names) if name not in textless}

    def usual(known: Sequence[str], among: dict[str, str] = by_name) -> str | None:
        return next((among[name] for name in known if name in among), None)

    found = Roles(usual(TEXT_NAMES, with_text), usual(SENDER_NAMES), usual(TIME_NAMES))
    kind = UnreadableArchive if found.text or any(map(_may_hold_texts, with_text.values())) else NoMessages
    if options.text_column is not None and options.text_column not in names:
        raise kind(_absent(input_name, options.text_column, names, Option.TEXT_COLUMN))
    if options.text_column in textless:
        raise UnreadableArchive(
            Sentence(
                "the column {column} of {file} holds no texts ({option})",
                column=Quoted(options.text_column),
                file=input_name,
                option=Option.TEXT_COLUMN,
            )
        )
    if options.text_column is None and found.text is None:
        raise kind(
            Sentence(
                "none of the columns of {file} is called {usual}{too}: name one of {columns} with {option}",
                file=input_name,
                usual=", ".join(TEXT_NAMES),
                too=" and holds texts" if textless else "",
                columns=Names(names),
                option=Option.TEXT_COLUMN,
            )
        )
    return roles_or(found, input_name, names, options)


def says_text(name: str) -> bool:
    """Whether a column's name says, in some language, that it holds texts."""
    return TEXT_WORDS.search(name) is not None


def _may_hold_texts(name: str) -> bool:
    """Whether a column of another name may hold messages: then its table is not passed over."""
    words = name.split()
    return says_text(name) or (len(words) >= SENTENCE_WORDS and 2 * sum(map(str.isalpha, words)) > len(words))


def _absent(input_name: str, name: str, names: Sequence[str], option: Option) -> Sentence:
    return Sentence(
        "{file} has no column {column}; its columns are {columns} ({option})",
        file=input_name,
        column=Quoted(name),
        columns=Names(names),
        option=option,
    )


def roles_or(known: Roles, input_name: str, names: Sequence[str], options: ReadOptions) -> Roles:
    """The format's own roles, ``known``, unless ``options`` names other columns of ``names``.

    Raises:
        UnreadableArchive: a column that ``options`` names is absent.
    """
    wanted = {
        Option.TEXT_COLUMN: options.text_column,
        Option.SENDER_COLUMN: options.sender_column,
        Option.TIME_COLUMN: options.time_column,
    }
    for option, name in wanted.items():
        if name is not None and name not in names:
            raise UnreadableArchive(_absent(input_name, name, names, option))
    return Roles(
        text=options.text_column or known.text,
        sender=options.sender_column or known.sender,
        time=options.time_column or known.time,
        people=known.people if options.sender_column is None else _holds_people(options.sender_column),
    )


def _holds_people(column: str) -> bool:
    """``contact_name``, ``name``: not what an SMS has for a sender, but what a phone's owner calls somebody."""
    return column.strip().lower().endswith("name")
