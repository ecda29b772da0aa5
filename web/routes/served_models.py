"""Which models the live workers serve."""

from __future__ import annotations

from typing import Protocol

from sluice.tasks.errors import InvalidInput, ModelUnavailable
from sluice.tasks.wire.status import ServedModel, WorkerStatus
from sluice.web.http.errors import problem

#: Accepted for whichever model is served, so that OpenTextShield's clients need no change.
ALIAS = "ots-mbert"
RETRY_AFTER_S = 5


class HasWorkers(Protocol):
    def workers(self) -> list[WorkerStatus]: ...


class ServedModels:
    """Looks models up in the workers' statuses."""

    def __init__(self, gateway: HasWorkers) -> None:
        self._gateway = gateway
        self._infos: dict[tuple[str, str], dict[str, str]] = {}

    def models(self) -> list[ServedModel]:
        """The models being served now, each once."""
        return list({worker.model.key: worker.model for worker in self._gateway.workers()}.values())

    def check(self, name: str) -> None:
        """Refuse a model that nobody serves.

        Raises:
            InvalidInput: other models are served; the details name them.
            ModelUnavailable: no worker is alive and ``name`` was not seen before, so nobody can tell.
        """
        if name == ALIAS:
            return
        available = sorted({model.name for model in self.models()})
        if name in available:
            return
        if not available:
            if any(name == seen for seen, _ in self._infos):
                return
            raise ModelUnavailable("no worker is alive to serve this model", retry_after_s=RETRY_AFTER_S)
        wrong = problem("model", "is not being served")
        names = [ALIAS, *available]
        raise InvalidInput(
            f"model is not being served; available: {', '.join(names)}",
            {"field": "model", "available": names, "problems": [wrong]},
        )

    def info(self, name: str, version: str) -> dict[str, str]:
        """OpenTextShield's ``model_info`` of the model that gave an answer."""
        found = self._infos.get((name, version))
        if found is None:
            self._infos.update({model.key: model.model_dump() for model in self.models()})
            found = self._infos.get((name, version))
        return found or ServedModel(name=name, version=version).model_dump()
