"""The side of the worker that touches Celery: it all runs on the main thread (Celery's hub)."""
