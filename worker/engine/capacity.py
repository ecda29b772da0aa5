"""A classifier that is loaded and warm, and what its measured cost means for batches."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

from sluice.config.settings import Settings
from sluice.tasks.envelope import ENVELOPE_MESSAGES, WHOLE_BATCH_S
from sluice.tasks.errors import ModelUnavailable
from sluice.worker.engine.batching.budget import batch_tokens
from sluice.worker.engine.batching.former import Limits
from sluice.worker.engine.batching.policy import MODEL_PLACES, SLOW_BATCH_S, Policy
from sluice.worker.engine.model_thread import Asynchronous
from sluice.worker.engine.tokenizing import spread
from sluice.worker.model import threads
from sluice.worker.model.base import BATCHES_AHEAD, Classifier
from sluice.worker.model.calibrate import Cost, measure
from sluice.worker.model.judge import Judge
from sluice.worker.model.loader import load

log = logging.getLogger(__name__)

#: Tokens of a message as SMS have them on average, special tokens included, where none has been seen yet.
MEAN_TOKENS = 28
#: A worker holds at least so many batches, and so many seconds' worth of messages.
HELD_BATCHES, HELD_S = 3, 0.2


def load_classifier(settings: Settings) -> Classifier:
    """Load the classifier that the settings name, with the threads that suit it.

    Raises:
        ModelUnavailable: there is none, or it gives no verdicts though the settings want them always; the message names
            the setting to change.
    """
    # A model on the CPU may tokenise while it is loaded, and the tokenizer's pool asks but once.
    spread(settings.tokenizer_threads, "cpu")
    classifier = load(settings)
    objection = Judge(classifier.labels, classifier.info, settings).objection
    if settings.verdict and objection is not None:
        raise ModelUnavailable(f"SLUICE_VERDICT is true, but {objection.message}, or set SLUICE_VERDICT to false.")
    threads.settle(classifier, settings.model_threads)
    return classifier


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one device carries.

    Attributes:
        cost: of a batch, as measured.
        encoders: threads among which the tokenizer divides a chunk.
        batch_tokens: most tokens in a batch; 0: no limit.
        batch_messages: messages in a full batch of messages as they mostly are.
        batch_s: seconds that it takes.
    """

    settings: Settings
    classifier: Classifier
    cost: Cost
    encoders: int
    batch_tokens: int
    batch_messages: int
    batch_s: float

    @property
    def window_messages(self) -> int:
        """Messages that are held ahead of the answers, so that the model never waits."""
        return max(
            HELD_BATCHES * self.batch_messages, math.ceil(HELD_S * self.batch_messages / max(self.batch_s, 1e-6))
        )

    @property
    def first_mean(self) -> float:
        """Messages per envelope to reckon with until some have come."""
        return float(min(self.batch_messages, ENVELOPE_MESSAGES)) if self.batch_s >= WHOLE_BATCH_S else 1.0

    def policy(self) -> Policy:
        """When batches run."""
        settings = self.settings
        return Policy(settings.batching_mode, settings.batch_wait_ms / 1000, self._places(), settings.deduplicate)

    def limits(self) -> Limits:
        """What one batch may hold."""
        settings = self.settings
        return Limits(
            messages=1 if settings.batching_mode == "none" else settings.max_batch_size,
            tokens=self.batch_tokens,
            padded=self.classifier.padded,
            overhead_tokens=self.cost.overhead_tokens,
        )

    def _places(self) -> int:
        """Batches that may be with the model. A second one saves a moment, and costs interactive messages its time."""
        if isinstance(self.classifier, Asynchronous):
            return BATCHES_AHEAD
        if self.settings.batching_mode != "dynamic":
            return MODEL_PLACES
        tokens = self.batch_tokens or self.settings.max_batch_size * self.settings.max_text_length
        return 1 if self.cost.seconds(tokens) > SLOW_BATCH_S else MODEL_PLACES


def warm_up(classifier: Classifier, settings: Settings) -> Capacity:
    """Run the classifier's first batches, measure what they cost, and settle what a batch holds."""
    encoders = spread(settings.tokenizer_threads, classifier.device)
    began = time.monotonic()
    classifier.warm_up(settings.max_batch_size)
    cost = measure(classifier, settings.max_batch_size)
    log.info(
        "model %s %s warm on %s (%s) after %.1f s: a batch costs %.2f ms + %.1f µs a token",
        classifier.info.name,
        classifier.info.version,
        classifier.device,
        classifier.precision,
        time.monotonic() - began,
        cost.a_s * 1e3,
        cost.b_s * 1e6,
    )
    tokens = _token_budget(settings, cost)
    messages = _full_batch(settings, tokens)
    return Capacity(settings, classifier, cost, encoders, tokens, messages, cost.seconds(MEAN_TOKENS * messages))


def _token_budget(settings: Settings, cost: Cost) -> int:
    """Most tokens in a batch: as set, else as the device's cost asks for; 0: no limit.

    The other modes, there for comparison, batch as the textbook has it and know nothing of tokens.
    """
    if settings.batching_mode != "dynamic":
        return 0
    messages, longest = settings.max_batch_size, settings.max_text_length
    tokens = settings.max_batch_tokens or batch_tokens(cost.a_s, cost.b_s, messages, longest)
    log.info("a batch holds at most %d messages%s", messages, f" and {tokens} tokens" if tokens else "")
    return tokens


def _full_batch(settings: Settings, tokens: int) -> int:
    """Messages in a full batch of messages as they mostly are."""
    messages = 1 if settings.batching_mode == "none" else settings.max_batch_size
    return max(1, min(messages, tokens // MEAN_TOKENS)) if tokens else messages
