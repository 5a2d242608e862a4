"""The pages of trackers that have one of their own show a run, in Chromium, and ask nobody else for anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from urllib3.util import Retry

from tests.browser import needs_chromium
from tests.conftest import ROOT
from tests.toolbox.reports.test_trackers import SMALL, needs

STARTED = Retry(60, backoff_factor=0.2, backoff_max=1.0)  # tries to reach a server that is starting: within a minute
DRAWN = 60_000  # ms until a page has drawn, on a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run with both trackers has left its files; a process of its own, as Trackio reads TRACKIO_DIR once."""
    folder = tmp_path_factory.mktemp("trackers")
    flags = [*SMALL, "--epochs", "1", "--tracker", "tensorboard", "trackio", "--name", "first"]
    command = [sys.executable, "commander.py", *flags, "--root-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=store(folder), check=True, capture_output=True)
    return folder


def store(folder: Path) -> dict[str, str]:
    """The environment in which Trackio's store is in `folder`."""
    return {**os.environ, "TRACKIO_DIR": str(folder / "trackio")}


@contextmanager
def shown(browser: Browser, command: list[str], folder: Path, path: str) -> Iterator[Page]:
    """The page that a server shows, started by `command` and a port; it asks nobody else, and its code has no error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    server = subprocess.Popen(
        [*command, host.partition(":")[2]], env=store(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with requests.Session() as session:
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=STARTED))
            session.get(f"http://{host}/", timeout=30).raise_for_status()
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        asked, faults = set(), []
        page.on("request", lambda request: asked.add(urlsplit(request.url)))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://{host}/{path}")
        yield page
        page.close()
        assert {one.netloc for one in asked if one.scheme.startswith("http")} == {host} and faults == []
    finally:
        server.terminate()
        server.wait()


@needs_chromium
def test_tensorboard_shows_a_run_by_its_network_and_scores(browser: Browser, folder: Path) -> None:
    logs = str(folder / "synthetic" / "runs")
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logs, "--host", "127.0.0.1", "--port"]
    with shown(browser, command, folder, "#hparams") as page:
        expect(page.get_by_text("cnn1d_3", exact=True).first).to_be_visible(timeout=DRAWN)
        expect(page.get_by_text("model_name").filter(visible=True).first).to_be_visible(timeout=DRAWN)
        page.goto(page.url.partition("#")[0] + "#text")
        expect(page.get_by_text("commander.py").first).to_be_visible(timeout=DRAWN)


@needs_chromium
@needs("trackio")
def test_trackio_shows_a_run_by_its_name(browser: Browser, folder: Path) -> None:
    program = (
        "import sys, trackio; "
        "trackio.show(open_browser=False, host='127.0.0.1', server_port=int(sys.argv[1]), block_thread=True)"
    )
    with shown(browser, [sys.executable, "-c", program], folder, "") as page:
        expect(page.get_by_text("first (synthetic_cnn1d_3").first).to_be_visible(timeout=DRAWN)
        expect(page.get_by_text("learning_rate").first).to_be_visible(timeout=DRAWN)
