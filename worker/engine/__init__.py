"""The batching core: envelopes in, outcomes out. It knows nothing of Celery, kombu or Redis."""
