"""The only part of ``web`` that knows Celery: messages in, answers out."""

from __future__ import annotations

from sluice.web.gateway.gateway import Gateway, Pending
from sluice.web.gateway.jobdesk import JobSubmission, ResultPage
from sluice.web.gateway.jobstatus import JobStatus

__all__ = ["Gateway", "JobStatus", "JobSubmission", "Pending", "ResultPage"]
