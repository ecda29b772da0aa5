"""The envelope: what one Celery task message carries, and what its result holds. JSON only.

Arguments of the task::

    classify("text")                                     one message
    classify(["text", {"id": "m1", "text": "…"}, …])     1..N messages
    classify(…, scores=True)                             the probability of every label, not of the likeliest alone
    classify(…, verdict=True)                            what to do about the message, and the rule that decided

Result: for one text an *entry* (``sluice.tasks.wire.entry``), a prediction or a failure; for a list a list of entries
in input order. A single text that fails makes the task fail; in a list the failure stays in its entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.tasks.errors import InvalidInput
from sluice.tasks.prediction_options import LABEL_ONLY, OPTION_NAMES, PredictionOptions

TASK_NAME = "tasks.classify"

#: Queue per lane; the names that Flower and ``celery -Q`` show.
QUEUES = {"interactive": "sluice.interactive", "bulk": "sluice.bulk"}
LANES = tuple(QUEUES)
#: Exchange and queue of what RabbitMQ gives up after too many deliveries.
DEAD_LETTERS = "sluice.dead"


def lane_of(queue: object) -> str:
    """The lane of a queue's name or routing key; the default one for any other."""
    return "bulk" if queue == QUEUES["bulk"] else "interactive"


#: Messages per envelope that our own clients cut jobs and archives into.
ENVELOPE_MESSAGES = 256
#: Where a batch takes the model longer, seconds, the web process sends envelopes of one batch: several workers then
#: share evenly what comes at once.
WHOLE_BATCH_S = 0.05
#: Most messages an envelope of any client may hold.
MAX_ENVELOPE_MESSAGES = 10_000

#: Longest message id.
MAX_ID_CHARS = 200

#: Decimal places of probabilities in files; a threshold is compared with as many.
PROBABILITY_DECIMALS = 6

#: What is wrong with a text such as ``"\ud83d"``.
HALF_PAIR = "holds half a surrogate pair, which is no character"


@dataclass(frozen=True, slots=True)
class Message:
    """One text to classify; ``error`` is set instead when the item could not be read."""

    text: str
    id: str | None = None
    error: InvalidInput | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What one task message asks for.

    Attributes:
        single: the call was for one text; its result is then one entry, not a list.
        options: what label entries hold besides.
    """

    messages: list[Message]
    single: bool
    options: PredictionOptions = LABEL_ONLY


def describe(args: object, kwargs: object = None) -> str:
    """What may be shown of a call: its name and message count, never a text."""
    count = message_count(args, kwargs)
    return f"classify({count} message{'' if count == 1 else 's'})"


def log_safe(name: object, most: int = 100) -> str:
    """A client's own name of something as a log line may show it: one line, not endless."""
    text = name if isinstance(name, str) else type(name).__name__
    text = "".join(char if char.isprintable() else "?" for char in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}…"


def message_count(args: object, kwargs: object = None) -> int:
    """Messages in a call; 1 for whatever is no list."""
    given = args if isinstance(args, (list, tuple)) else [args]
    payload = given[0] if given else kwargs.get("messages") if isinstance(kwargs, dict) else None
    return len(payload) if isinstance(payload, (list, tuple)) else 1


def parse(args: object, kwargs: object, max_text_chars: int) -> Call:
    """Read the arguments of a task message.

    Raises:
        InvalidInput: the call as a whole makes no sense; nothing of it can be classified.
    """
    kwargs = kwargs if isinstance(kwargs, dict) else {}
    unknown = sorted(set(kwargs) - {"messages", *OPTION_NAMES})
    given = list(args) if isinstance(args, (list, tuple)) else [args]
    if "messages" in kwargs:
        given.append(kwargs["messages"])
    if unknown or len(given) != 1:
        raise InvalidInput(
            "classify takes one argument, messages: a text or a list of texts or {id, text} objects;"
            f" and the keywords {' and '.join(OPTION_NAMES)}. It was given {len(given)} and {len(unknown)} unknown"
            " keywords",
            {"field": "messages", "arguments": len(given), "unknown": unknown[:5]},
        )
    for name in OPTION_NAMES:
        if not isinstance(value := kwargs.get(name, False), bool):
            raise InvalidInput(f"{name} must be true or false, not {type(value).__name__}", {"field": name})
    options = PredictionOptions(*(kwargs.get(name, False) for name in OPTION_NAMES)) if kwargs else LABEL_ONLY
    payload = given[0]
    if isinstance(payload, (str, dict)):
        message = read_message(payload, max_text_chars, "messages")
        if message.error:
            raise message.error
        return Call([message], True, options)
    if not isinstance(payload, list):
        raise InvalidInput(f"messages must be a text or a list, not {type(payload).__name__}", {"field": "messages"})
    if not 1 <= len(payload) <= MAX_ENVELOPE_MESSAGES:
        raise InvalidInput(
            f"messages must hold 1 to {MAX_ENVELOPE_MESSAGES} items, not {len(payload)}",
            {"field": "messages", "limit": MAX_ENVELOPE_MESSAGES},
        )
    messages = [read_message(item, max_text_chars, f"messages[{i}]") for i, item in enumerate(payload)]
    return Call(messages, False, options)


def read_message(item: object, max_text_chars: int, field: str) -> Message:
    """One item of the list; what is wrong with it goes into ``error``.

    The sentence there is about the item's ``text`` or ``id``; only the sender knows what the item is called where it
    comes from.
    """
    identity, text, path = None, item, field
    if isinstance(item, dict):
        identity, text, path = item.get("id"), item.get("text"), f"{field}.text"
        if identity is not None and not _is_id(identity):
            message = f"id must be a string of 1 to {MAX_ID_CHARS} characters"
            return _bad(None, message, {"field": f"{field}.id", "limit": MAX_ID_CHARS})
    if not isinstance(text, str):
        return _bad(identity, f"text must be a string, not {type(text).__name__}", {"field": path})
    if not text.strip():
        return _bad(identity, "text must not be empty or blank", {"field": path, "limit": 1})
    if len(text) > max_text_chars:
        message = f"text has {len(text)} characters, over the limit of {max_text_chars}"
        return _bad(identity, message, {"field": path, "limit": max_text_chars})
    if not is_unicode(text):
        return _bad(identity, f"text {HALF_PAIR}", {"field": path})
    return Message(text, identity)


def said_of(field: str, message: str) -> str:
    """What an error entry says of its ``text``, said of a caller's own name for that text, such as ``texts[2]``."""
    subject, _, rest = message.partition(" ")
    return f"{field} {rest}" if subject == "text" else message


def is_unicode(text: str) -> bool:
    """Whether ``text`` is made of characters: half a surrogate pair is none, though JSON can write it down."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_id(value: object) -> bool:
    """Whether ``value`` can name a message: a short string that UTF-8 can carry."""
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID_CHARS and is_unicode(value)


def _bad(identity: str | None, message: str, details: dict[str, object]) -> Message:
    return Message("", identity, InvalidInput(message, details))
