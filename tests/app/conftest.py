"""A browser on a running page. Whatever the page logs as an error fails the test that saw it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.app.site import Site, site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-loopback-in-peer-connection",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PHONE, DESKTOP = (390, 844), (1440, 900)


@pytest.fixture(scope="module")
def page_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One page for a module's tests; each keeps to streams of its own browser name."""
    with site(tmp_path_factory.mktemp("page")) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a page run on their module's event loop: its browser belongs to that one."""
    for item in items:
        if pytest_asyncio.is_async_test(item) and "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncGenerator[Browser, None]:
    """One browser for a module's tests; each visitor has a context, so they share nothing."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: the page is not tested in a browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


class Visitor:
    """One browser of one person: `name` is what its streams begin with."""

    def __init__(self, chromium: Browser, name: str) -> None:
        self._chromium = chromium
        self.name = name
        self.problems: list[str] = []
        self.fetched: list[str] = []
        self.context: BrowserContext | None = None

    async def open(
        self,
        url: str,
        tab: str = "live",
        *,
        size: tuple[int, int] = DESKTOP,
        dark: bool = False,
        allowed: bool = True,
        wait: bool = True,
    ) -> Page:
        """A page, ready. `allowed`: camera and microphone are granted; else they are refused."""
        if self.context is None:
            self.context = await self._chromium.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
            )
            permissions = ["camera", "microphone"] if allowed else []
            await self.context.grant_permissions(permissions)
            await self.context.add_init_script(
                f'localStorage.setItem("lookback.browser", "{self.name}")'
            )
        page = await self.context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda said: self._note(said.type == "error", said.text))
        page.on("pageerror", lambda error: self._note(True, str(error)))
        page.on("request", lambda request: self.fetched.append(request.url))
        page.on("response", lambda got: self._note(got.status >= 400, f"{got.status} {got.url}"))
        await page.goto(f"{url}/#{tab}")
        if wait:
            await page.locator("#lookback[data-ready]").wait_for()
        return page

    def _note(self, wrong: bool, what: str) -> None:
        if wrong:
            self.problems.append(what)

    async def close(self) -> None:
        if self.context is not None:
            await self.context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(
    chromium: Browser, request: pytest.FixtureRequest
) -> AsyncGenerator[Visitor, None]:
    """Fails the test if the page logged an error. A test that provokes one clears `problems`."""
    visiting = Visitor(chromium, f"test-{abs(hash(request.node.name)) % 10**8:08d}")
    yield visiting
    await visiting.close()
    assert not visiting.problems


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core: from AXE_CORE, or where `npm install axe-core` puts it."""
    given = os.environ.get("AXE_CORE")
    root = Path(__file__).parents[2]
    for path in (Path(given) if given else None, root / "node_modules/axe-core/axe.min.js"):
        if path is not None and path.is_file():
            return path.read_text()
    pytest.skip(
        "axe-core is not here, accessibility is NOT checked: npm install --no-save axe-core, "
        "or AXE_CORE=/path/to/axe.min.js"
    )
