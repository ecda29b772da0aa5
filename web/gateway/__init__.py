"""The only part of ``web`` that knows Celery: messages in, answers out."""

from __future__ import annotations

from sluice.web.gateway.api import GatewayApi
from sluice.web.gateway.gateway import Gateway, Queued, Waiting
from sluice.web.gateway.job_service import JobSubmission, ResultPage
from sluice.web.gateway.job_status import JobStatus
from sluice.web.gateway.ports import Ports

__all__ = ["Gateway", "GatewayApi", "JobStatus", "JobSubmission", "Ports", "Queued", "ResultPage", "Waiting"]
