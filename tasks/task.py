"""The task: its name, its options and, by name only, what runs it inside a Sluice worker."""

from __future__ import annotations

from celery import Task

from sluice.tasks.envelope import TASK_NAME


class Classify(Task):
    """``classify("text")`` or ``classify(["text", …])``: label and probability of each message; with ``scores=True``
    the probability of every label, with ``verdict=True`` what to do about it (``allow``, ``flag``, ``block``) and why.

    The worker supplies the execution through ``Strategy``: it is named, not imported, so that clients of this
    package need neither the worker's code nor torch.
    """

    name = TASK_NAME
    Strategy = "sluice.worker.consumer.strategy:Batching"
    Request = "sluice.worker.consumer.request:EnvelopeRequest"
    acks_late = True
    reject_on_worker_lost = True
    ignore_result = False
    max_retries = 0
    typing = False

    def run(self, messages: object, scores: bool = False, verdict: bool = False) -> object:
        raise NotImplementedError("this task runs in batches: start its worker with `sluice worker`")
