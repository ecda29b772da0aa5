"""Every error, and the error of one message among many."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Failure(BaseModel):
    code: str = Field(examples=["invalid_input"])
    message: str


class ErrorDetail(BaseModel):
    error: str = Field(description="stable code", examples=["invalid_input"])
    message: str = Field(description="one sentence for a person")
    details: dict[str, Any] = Field(description="machine-readable facts: `field`, `limit`, `problems`, …")
    timestamp: str = Field(description="ISO 8601, UTC")


class ErrorResponse(BaseModel):
    """Every error, in OpenTextShield's shape."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "detail": {
                        "error": "invalid_input",
                        "message": "text must not be empty or blank",
                        "details": {
                            "field": "text",
                            "limit": 1,
                            "problems": [{"field": "text", "message": "must not be empty or blank", "limit": 1}],
                        },
                        "timestamp": "2026-11-21T03:00:00.000000Z",
                    }
                }
            ]
        }
    )

    detail: ErrorDetail
