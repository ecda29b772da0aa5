"""Flower in a real browser: envelopes with state, runtime and message count, and no text of an SMS."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By

from sluice.harness.process import Child, free_port, wait_for
from sluice.harness.servers import Missing
from sluice.harness.worker import Worker, client_app
from sluice.tasks.envelope import TASK_NAME
from tests.conftest import Brokers, missing

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


class Flower(Child):
    """``sluice flower`` on a port of its own."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "sluice.cli", "flower"]
        super().__init__(command, folder / "flower.log", {**env, "SLUICE_FLOWER_PORT": str(self.port)})

    def url(self, path: str, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}{path}"


@pytest.mark.browser
def test_flower_lists_the_envelopes_without_their_texts(brokers: Brokers, folder: Path, browser: Any) -> None:
    env = brokers.env()
    app = client_app(env)
    worker, flower = Worker(folder, env, "-E").ready(), Flower(folder, env)
    try:
        wait_for(lambda: shows(browser, flower.url("/workers"), worker.hostname), "the worker", 40, 0.3)
        classify = app.tasks[TASK_NAME]
        done = classify.delay([f"{MARKER} {i}" for i in range(37)])
        bad = classify.delay(f"{MARKER} POISON")
        done.get(timeout=20)
        bad.get(timeout=20, propagate=False)
        tasks = flower.url("/tasks")
        wait_for(lambda: shows(browser, tasks, "classify(37 messages)", "FAILURE", "SUCCESS"), "the tasks", 30)
        pages = [browser.page_source]
        browser.save_screenshot(str(folder / "flower-tasks.png"))
        for task_id, *texts in [(done.id, "SUCCESS", "classify(37 messages)"), (bad.id, "FAILURE")]:
            page = flower.url(f"/task/{task_id}")
            wait_for(partial(shows, browser, page, *texts), f"{texts} of a task", 30)
            pages.append(browser.page_source)
        assert not [page for page in pages if MARKER in page]
    finally:
        flower.stop()
        worker.stop()
    assert MARKER not in flower.output() + worker.output()


@pytest.mark.browser
def test_the_broker_page_has_queue_lengths(brokers: Brokers, folder: Path, browser: Any) -> None:
    env = brokers.env()
    worker = Worker(folder, env).ready()
    classify = client_app(env).tasks[TASK_NAME]
    worker.stop()  # its queues stay
    for i in range(3):
        classify.delay(f"waiting {i}")
    flower = Flower(folder, env)
    try:
        wait_for(lambda: shows(browser, flower.url("/broker"), "sluice.interactive"), "the page", 40, 0.3)
        rows = {row[0]: row for row in table(browser)}
        assert rows["sluice.interactive"][1] == "3"
        assert rows["sluice.bulk"][1] == "0"
        if brokers.kind == "rabbitmq":
            assert rows["sluice.interactive"][3:5] == ["3", "0"]  # ready, consumers
    finally:
        flower.stop()
    assert not flower.output()


#: Tabs of a worker's page, and buttons in them.
BUTTONS = [
    ("pool", "worker-refresh"),
    ("pool", "worker-pool-grow"),
    ("limits", f"task-rate-limit-{TASK_NAME}"),
    ("limits", f"task-timeout-soft-{TASK_NAME}"),
    ("pool", "worker-shutdown"),
]


@pytest.mark.browser
def test_without_a_login_the_buttons_say_how_to_get_them(brokers: Brokers, folder: Path, browser: Any) -> None:
    env = brokers.env()
    worker = Worker(folder, env).ready()
    flower = Flower(folder, {**env, "FLOWER_UNAUTHENTICATED_API": "true"})
    page = flower.url(f"/worker/{worker.hostname}")
    try:
        wait_for(lambda: shows(browser, page, worker.hostname, TASK_NAME), "the worker's page", 40, 0.3)
        for tab, button in BUTTONS:
            assert "set FLOWER_BASIC_AUTH=user:password" in press(browser, page, tab, button), button
        assert worker.returncode is None
    finally:
        flower.stop()
        worker.stop()
    assert flower.output().startswith("sluice: FLOWER_UNAUTHENTICATED_API is not taken")


@pytest.mark.browser
def test_with_a_login_the_buttons_work(brokers: Brokers, folder: Path, browser: Any) -> None:
    env = brokers.env(flower_basic_auth="ann:hunter2")
    worker, flower = Worker(folder, env).ready(), Flower(folder, env)
    page = flower.url(f"/worker/{worker.hostname}")
    try:
        entry = flower.url(f"/worker/{worker.hostname}", login="ann:hunter2@")
        wait_for(lambda: shows(browser, entry, worker.hostname, TASK_NAME), "the worker's page", 40, 0.3)
        assert press(browser, page, "pool", "worker-refresh") == "Successfully refreshed"
        assert press(browser, page, "pool", "worker-shutdown") == "Shutting down!"
        assert worker.wait() == 0
        browser.get(flower.url("/", login="ann:wrong@"))
        assert worker.hostname not in browser.page_source
    finally:
        flower.stop()
        worker.stop()
    assert "hunter2" not in flower.output() + worker.output()


def press(browser: Any, page: str, tab: str, button: str) -> str:
    """Fill in every number on a worker's page, press one of its buttons, and give what the page says to that."""
    browser.get(page)
    browser.execute_script(
        """
        window.confirm = () => true;
        document.querySelectorAll("input[type=number]").forEach(field => { field.value = field.value || "5"; });
        document.getElementById("worker-tab-" + arguments[0]).click();
        document.getElementById(arguments[1]).click();
        """,
        tab,
        button,
    )

    def told() -> str:
        toasts = browser.find_elements(By.CSS_SELECTOR, ".toast-body")
        return " ".join(toast.text for toast in toasts)

    return str(wait_for(told, f"an answer to {button}", 20, 0.1))


def table(browser: Any) -> list[list[str]]:
    """The cells of the page's first table, row by row."""
    rows = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    return [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows]


def shows(browser: Any, url: str, *texts: str) -> bool:
    """Whether the page at ``url`` shows ``texts`` once its scripts have drawn it."""
    try:
        browser.get(url)
        wait_for(lambda: all(text in browser.page_source for text in texts), url, timeout_s=4, every_s=0.2)
    except (TimeoutError, WebDriverException):
        return False
    return True
