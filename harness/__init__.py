"""Real parts for tests and measurements: servers on private ports, workers, web processes, callers, faults.

Each process is stopped by its id. A checkout only: the wheel has neither this nor what uses it.
"""
