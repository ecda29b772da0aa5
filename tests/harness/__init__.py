"""Real parts for the tests: servers on private ports, worker processes, HTTP servers. Each is stopped by its id."""
