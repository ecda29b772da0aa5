"""The page in a real browser, opened as a file: wide, narrow, dark and printed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from sluice.harness.servers import Missing
from tests.conftest import missing
from tests.unit.backfill.report.outputs import report_on, row

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1200,900"
).split()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        missing(Missing("chromium and chromedriver are not installed: run `make setup`"))
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    window = webdriver.Chrome(options, webdriver.ChromeService(str(driver)))
    yield window
    window.quit()


def shows(browser: Any, page: Path, width: int, media: str = "screen", scheme: str = "light") -> list[str]:
    """Open ``page`` so; the addresses of the pictures that the browser chose, after it has drawn them."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    pictures: list[list[Any]] = browser.execute_script(
        "return [...document.images].map(one => [one.complete && one.naturalWidth, one.currentSrc])"
    )
    assert len(pictures) == 5
    assert all(drawn == 1440 for drawn, _ in pictures)  # twice the 720 pixels at which they are meant to be seen
    return [address for _, address in pictures]


@pytest.mark.browser
def test_the_page_is_drawn_whole_at_every_width_and_in_both_colours(browser: Any, tmp_path: Path) -> None:
    labels = ("ham", "spam", "a very long name of a label that goes on and on")
    report_on(tmp_path, [row(at, labels[at % 3], text="w" * 900 + " سلام") for at in range(90)], include_text=True)
    page = tmp_path / "report.html"
    for width in (1200, 360):
        light = shows(browser, page, width)
        beside = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.execute_script(beside) == 0
        dark = shows(browser, page, width, scheme="dark")
        assert not set(light) & set(dark)
        assert shows(browser, page, width, media="print", scheme="dark") == light
    assert browser.get_log("browser") == []
