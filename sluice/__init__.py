"""Sluice: classifies SMS in batches, behind Celery. In a checkout its parts are links to folders beside it."""
