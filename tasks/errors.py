"""The error tree. Each class carries its HTTP status and a stable code.

No message of these classes ever holds the text of an SMS.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sluice.tasks.sentence import Sentence


class SluiceError(Exception):
    """Base of every error that a caller may see.

    Args:
        message: one sentence for a person; as a ``Sentence``, it has facts in it that each front end says in its way.
        details: machine-readable facts, such as the field and the limit.
        retry_after_s: seconds after which trying again makes sense.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str | Sentence,
        details: dict[str, Any] | None = None,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(str(message))
        self.sentence = (
            message if isinstance(message, Sentence) else Sentence(message.replace("{", "{{").replace("}", "}}"))
        )
        self.message = str(message)
        self.details = details or {}
        self.retry_after_s = retry_after_s

    @property
    def operator_message(self) -> str:
        """The message as a log and a terminal show it."""
        return self.message


class BadRequest(SluiceError):
    """The request cannot be read: broken JSON, a bad header."""

    status = 400
    code = "bad_request"


class Unauthorized(SluiceError):
    status = 401
    code = "unauthorized"


class NotFound(SluiceError):
    status = 404
    code = "not_found"


class MethodNotAllowed(SluiceError):
    status = 405
    code = "method_not_allowed"


class Conflict(SluiceError):
    """An Idempotency-Key was used before with another body."""

    status = 409
    code = "conflict"


class TooLarge(SluiceError):
    status = 413
    code = "too_large"


class UnsupportedMediaType(SluiceError):
    status = 415
    code = "unsupported_media_type"


class InvalidInput(SluiceError):
    """A field has a wrong type or is outside its limit; ``details`` names field and limit."""

    status = 422
    code = "invalid_input"


class QueueFull(SluiceError):
    status = 429
    code = "queue_full"


class ModelFailed(SluiceError):
    """The model could not classify this one message; its batch is not concerned."""

    status = 500
    code = "model_failed"


class ServerUnavailable(SluiceError):
    """The broker or the result backend cannot be used; ``tasks/server.py`` makes the sentences.

    Args:
        operator_message: the message with the server's address, for those who run the service: logs and terminals.
        lasting: it will not pass by itself, as a wrong password will not.
    """

    status = 503

    def __init__(
        self,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        retry_after_s: float | None = None,
        operator_message: str | None = None,
        lasting: bool = False,
    ) -> None:
        super().__init__(message, details, retry_after_s=retry_after_s)
        self._operator_message = operator_message or message
        self.lasting = lasting

    @property
    def operator_message(self) -> str:
        return self._operator_message


class BrokerUnavailable(ServerUnavailable):
    code = "broker_unavailable"


class BackendUnavailable(ServerUnavailable):
    code = "backend_unavailable"


class Revoked(SluiceError):
    """Cancelled or expired before the model saw it; ``details["expired"]`` says which."""

    status = 410
    code = "revoked"


class TooManyDeliveries(SluiceError):
    """The envelope came back from dead workers too often and was given up."""

    status = 500
    code = "too_many_deliveries"


class UnknownTask(SluiceError):
    """A message in our queues is for a task that this worker does not have."""

    status = 404
    code = "unknown_task"


class FollowUpFailed(SluiceError):
    """A task that a caller hung on a result (link, chain, chord) cannot be sent; stored as that task's own failure."""

    status = 500
    code = "follow_up_failed"


class ModelUnavailable(SluiceError):
    """The model cannot be had; raised at start, the message names what to set."""

    status = 503
    code = "model_unavailable"


class ServiceNotRunning(SluiceError):
    """No embedded service answers and no broker URL is set."""

    status = 503
    code = "service_not_running"


class UnreadableArchive(SluiceError):
    """An archive as a whole cannot be read, or none of its columns holds texts."""

    status = 422
    code = "unreadable_archive"


class UnknownFormat(UnreadableArchive):
    """What was given as an archive is none, as far as its content tells."""

    status = 415
    code = "unsupported_media_type"


class NoMessages(UnreadableArchive):
    """A file that can be read holds no messages: beside others that do, it is passed over."""


class DamagedArchive(UnreadableArchive):
    """A file is broken, encrypted or made to do harm: beside others that can be read, it is a row with this error."""


class UnwritableOutput(SluiceError):
    """The output of a backfill cannot be written."""

    status = 500
    code = "unwritable_output"


class InsufficientStorage(SluiceError):
    """There is too little free space on the server's disk for an archive."""

    status = 507
    code = "insufficient_storage"


class ChangedRun(SluiceError):
    """A backfill cannot carry on from its checkpoint: its input or its options are not what they were."""

    status = 409
    code = "changed_run"


BY_CODE: dict[str, type[SluiceError]] = {
    cls.code: cls for cls in (InvalidInput, ModelFailed, Revoked, TooManyDeliveries)
}


def code_of(exc_type: object) -> str:
    """The code of the error whose class has this name, as Celery stores it; ``model_failed`` for any other."""
    return next((cls.code for cls in BY_CODE.values() if cls.__name__ == exc_type), ModelFailed.code)


def from_code(code: str, message: str) -> SluiceError:
    """The error that a stored ``{"code", "message"}`` entry stands for."""
    return BY_CODE.get(code, SluiceError)(message)
