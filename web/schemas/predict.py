"""``/predict/``: one message, and its answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from sluice.web.schemas.body import Body
from sluice.web.schemas.verdict import RULE, VERDICT, Verdict

MAX_MODEL_CHARS = 200
#: The rule of a degraded answer.
DEGRADED_RULE = "on_outage = allow"


def not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must not be empty or blank")
    return text


class PredictRequest(Body):
    """One message to classify."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Your parcel is held. Pay 1.99 at http://post.example"}]}
    )

    text: Annotated[str, AfterValidator(not_blank), Field(description="the message; not blank", min_length=1)]
    model: Annotated[str, Field(max_length=MAX_MODEL_CHARS)] | None = Field(
        None, description="name of a model that is being served, or `ots-mbert` for whichever is"
    )
    scores: bool = Field(False, description="answer with the probability of every label")
    verdict: bool = Field(False, description="say what to do, allow, flag or block, and by which rule")


class ModelInfo(BaseModel):
    name: str = Field(examples=["sms-mini"])
    version: str = Field(examples=["1"], description="version of the weights")
    architecture: str = Field(examples=["bert"])
    author: str
    last_training: str = Field(examples=["2026-11-20"])


class PredictResponse(BaseModel):
    """The answer to one message, in OpenTextShield's shape."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "label": "phishing",
                    "probability": 0.981,
                    "processing_time": 0.012,
                    "model_info": {
                        "name": "sms-mini",
                        "version": "1",
                        "architecture": "bert",
                        "author": "Sluice",
                        "last_training": "2026-11-20",
                    },
                }
            ]
        },
    )

    label: str = Field(description="ham, spam or phishing with the shipped model")
    probability: float = Field(ge=0, le=1, description="of this label")
    processing_time: float = Field(ge=0, description="seconds from the request's arrival to its answer")
    model_info: ModelInfo
    scores: dict[str, float] | None = Field(None, description="label → its probability; there if `scores` was sent")
    verdict: Verdict | None = Field(None, description=VERDICT)
    rule: str | None = Field(None, description=RULE, examples=["phishing >= 0.9"])


class DegradedResponse(BaseModel):
    """The answer to who wants a verdict while there is none, where the server is set to let messages pass then."""

    verdict: Literal["allow"]
    rule: str = Field(description="the setting that decided", examples=[DEGRADED_RULE])
    degraded: Literal[True] = Field(description="only answers that no model has given have this field")
    reason: str = Field(description="stable code: `timeout`, or the `error` of the outage", examples=["queue_full"])
    message: str = Field(description="one sentence for a person")
    result: str | None = Field(description="where the message's own result is found later; null if it is not queued")
    processing_time: float = Field(ge=0, description="seconds from the request's arrival to its answer")
