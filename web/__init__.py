"""The HTTP front end. ``flask --app web run`` finds ``create_app`` here."""

from __future__ import annotations

from sluice.web.app import create_app

__all__ = ["create_app"]
