"""Flower in a real browser: envelopes with state, runtime and message count, and no text of an SMS."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException

from sluice.tasks.envelope import TASK_NAME
from tests.conftest import Brokers, missing
from tests.harness.process import Child, free_port, wait_for
from tests.harness.servers import Missing
from tests.harness.worker import Worker, client_app

MARKER = "xyzzy-secret-marker"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1400,900"
).split()


@pytest.fixture
def browser(folder: Path) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        missing(Missing("chromium and chromedriver are not installed: run `make setup`"))
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for flag in [*FLAGS, f"--user-data-dir={folder / 'profile'}"]:
        options.add_argument(flag)
    window = webdriver.Chrome(options, webdriver.ChromeService(str(driver)))
    yield window
    window.quit()


@pytest.mark.browser
def test_flower_lists_the_envelopes_without_their_texts(brokers: Brokers, folder: Path, browser: Any) -> None:
    env = brokers.env()
    app = client_app(env)
    port = free_port()
    env["SLUICE_FLOWER_PORT"] = str(port)
    command = [sys.executable, "-m", "sluice.cli.main", "flower"]
    worker, flower = Worker(folder, env, "-E").ready(), Child(command, folder / "flower.log", env)
    try:
        wait_for(lambda: shows(browser, f"http://127.0.0.1:{port}/workers", worker.hostname), "the worker", 40, 0.3)
        classify = app.tasks[TASK_NAME]
        done = classify.delay([f"{MARKER} {i}" for i in range(37)])
        bad = classify.delay(f"{MARKER} POISON")
        done.get(timeout=20)
        bad.get(timeout=20, propagate=False)
        tasks = f"http://127.0.0.1:{port}/tasks"
        wait_for(lambda: shows(browser, tasks, "classify(37 messages)", "FAILURE", "SUCCESS"), "the tasks", 30)
        pages = [browser.page_source]
        browser.save_screenshot(str(folder / "flower-tasks.png"))
        for task_id, *texts in [(done.id, "SUCCESS", "classify(37 messages)"), (bad.id, "FAILURE")]:
            page = f"http://127.0.0.1:{port}/task/{task_id}"
            wait_for(lambda page=page, texts=texts: shows(browser, page, *texts), f"{texts} of a task", 30)
            pages.append(browser.page_source)
        browser.get(f"http://127.0.0.1:{port}/broker")
        pages.append(browser.page_source)
        if brokers.kind == "redis":  # RabbitMQ tells queue lengths through its management plugin only
            assert "sluice.bulk" in pages[-1]
        assert not [page for page in pages if MARKER in page]
    finally:
        flower.stop()
        worker.stop()
    assert MARKER not in flower.output() + worker.output()


def shows(browser: Any, url: str, *texts: str) -> bool:
    """Whether the page at ``url`` shows ``texts`` once its scripts have drawn it."""
    try:
        browser.get(url)
        wait_for(lambda: all(text in browser.page_source for text in texts), url, timeout_s=4, every_s=0.2)
    except (TimeoutError, WebDriverException):
        return False
    return True
