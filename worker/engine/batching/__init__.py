"""Which messages run together, and when. Pure: no clock, no threads, no Celery."""
