"""``sluice up``: the whole service as one process tree."""
