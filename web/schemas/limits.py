"""Request schemas with the limits of the settings in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field, create_model

from sluice.config.settings import Settings
from sluice.web.schemas.jobs import JobMessage, JobRequest
from sluice.web.schemas.predict import PredictRequest, not_blank


@dataclass(frozen=True, slots=True)
class Requests:
    """The request models with the limits of the settings in them."""

    predict: type[PredictRequest]
    job: type[JobRequest]


def requests_for(settings: Settings) -> Requests:
    """Request models for these settings: lengths are checked where types are, and shown in the document."""
    return _limited(settings.max_text_chars, settings.max_job_messages)


@lru_cache(maxsize=16)
def _limited(most_chars: int, limit: int) -> Requests:
    text = Annotated[str, Field(min_length=1, max_length=most_chars), AfterValidator(not_blank)]
    texts = PredictRequest.model_fields["text"].description
    job = JobRequest.model_fields
    predict = create_model("PredictRequest", __base__=PredictRequest, text=(text, Field(description=texts)))
    messages = create_model(
        "JobRequest",
        __base__=JobRequest,
        texts=(
            list[str] | None,
            Field(None, min_length=1, max_length=limit, description=job["texts"].description),
        ),
        messages=(
            list[JobMessage] | None,
            Field(None, min_length=1, max_length=limit, description=job["messages"].description),
        ),
    )
    return Requests(predict, messages)
