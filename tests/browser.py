"""A headless Chromium for tests of pages; tests that use it are skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason=f"needs a browser: none of {', '.join(NAMES)} is installed (apt-get install chromium)"
)


@contextmanager
def start_browser() -> Iterator[Browser]:
    """Chromium without a window."""
    options = [] if os.geteuid() else ["--no-sandbox"]  # its sandbox refuses to run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1280, scheme: str = "light", **options: object) -> Iterator[Page]:
    """A page of a file, ready; afterwards, there must have been no request and nothing on the console.

    Args:
        width: of the window in px.
        scheme: "light" or "dark".
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)  # type: ignore[arg-type]
    page = context.new_page()
    requests: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    yield page
    context.close()
    assert {url for url in requests if not url.startswith("blob:")} == {path.as_uri()}
    assert said == []
