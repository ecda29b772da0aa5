"""The worker: a batching consumer on Celery, a model, and what carries messages between them."""
