"""The only part of ``web`` that knows Celery: messages in, answers out."""

from __future__ import annotations

from web.gateway.gateway import Gateway, Pending
from web.gateway.jobdesk import JobStatus, JobSubmission, ResultPage

__all__ = ["Gateway", "JobStatus", "JobSubmission", "Pending", "ResultPage"]
