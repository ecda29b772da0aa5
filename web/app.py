"""The Flask app: one blueprint per resource around one gateway."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import orjson
from flask import Flask

from sluice.config import names
from sluice.config.settings import Settings, SettingsError, current
from sluice.web.archives import Archives, RunnerCommand
from sluice.web.gateway import Gateway, GatewayApi
from sluice.web.http import errors
from sluice.web.http.auth import Guard
from sluice.web.http.cors import Cors
from sluice.web.http.request_id import RequestIds
from sluice.web.openapi.document import document as openapi_document
from sluice.web.routes import docs, health, jobs, predict
from sluice.web.routes.degraded import Fallback
from sluice.web.routes.hot import HotRoute
from sluice.web.routes.served_models import ServedModels
from sluice.web.schemas.limits import requests_for

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _current() -> Settings:
    """The settings; what is wrong with them is one line, under any WSGI server."""
    try:
        settings = current()
    except SettingsError as exc:
        raise SystemExit(f"sluice: {exc}") from None
    names.tell_once(logging.getLogger("sluice").warning)
    return settings


def create_app(
    settings: Settings | None = None, gateway: GatewayApi | None = None, command: RunnerCommand | None = None
) -> Flask:
    """The WSGI app; opens no connection until the first request, so that it may be made before a fork.

    Args:
        settings: read from the environment when absent.
        gateway: made from the settings when absent; tests pass one of their own.
        command: runs the processes that read archives; tests pass one of their own.
    """
    settings = settings or _current()
    gateway = gateway or Gateway(settings)
    archives = Archives(settings, command or RunnerCommand())
    app = Flask("web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1  # web.body refuses what reaches it
    app.url_map.strict_slashes = False
    app.extensions["sluice"] = gateway
    app.extensions["sluice-archives"] = archives
    guard, served, requests = Guard(settings), ServedModels(gateway), requests_for(settings)
    fallback = Fallback(settings)
    document = orjson.dumps(openapi_document(settings, requests, health.api_version()))
    errors.install(app, settings.max_body_bytes)
    predictor = predict.Predictor(settings, gateway, guard, requests.predict, served, fallback)
    app.register_blueprint(predict.blueprint(predictor))
    app.register_blueprint(jobs.blueprint(settings, gateway, guard, requests, archives.listed))
    app.register_blueprint(archives.blueprint(guard))
    app.register_blueprint(health.blueprint(gateway, guard, served, fallback))
    app.register_blueprint(docs.blueprint(document, settings.flower_port))
    routes: WSGIApplication = HotRoute(app.wsgi_app, predictor, settings.max_body_bytes)
    if settings.cors_origins:
        routes = Cors(routes, settings.cors_origins)
    app.wsgi_app = RequestIds(routes)  # type: ignore[method-assign]
    return app
