"""A headless Chromium: the system's own (Debian's package ``chromium``), or one that playwright has downloaded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def unavailable(reason):
    """Skip in one clear line, or fail where a browser has to be there."""
    told = f"no page is opened: {reason}"
    if os.environ.get("RERUN_HARNESS_REQUIRE_BROWSER"):
        pytest.fail(told, pytrace=False)
    pytest.skip(told)


@pytest.fixture(scope="session")
def browser():
    """Return a running browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is not installed (pip install playwright)")
    with sync_playwright() as playwright:
        system = next(filter(None, map(shutil.which, _NAMES)), None)
        path = system or playwright.chromium.executable_path
        if not Path(path).exists():
            unavailable("there is no Chromium (apt-get install chromium, or playwright install chromium)")
        # A sandbox of its own is not to be had for root in a container; the pages are ours.
        sandboxed = os.geteuid() != 0
        running = playwright.chromium.launch(executable_path=path, chromium_sandbox=sandboxed)
        yield running
        running.close()


@pytest.fixture(scope="session")
def axe():
    """Return the source of axe-core, which checks a page by the rules of WCAG."""
    try:
        from axe_playwright_python.base import AXE_SCRIPT
    except ImportError:
        unavailable("axe-core is not installed (pip install axe-playwright-python)")
    return AXE_SCRIPT


@pytest.fixture
def opened(browser, tmp_path):
    """Return a function that opens HTML in a window; what the page complains of, or asks the network for, fails."""
    contexts, complaints, asked = [], [], []

    def show(html, **window):
        path = tmp_path / "report.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **window})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda fault: complaints.append(str(fault)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
