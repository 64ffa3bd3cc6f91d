"""Who gets in: the token, its cookie, and pages of other sites."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import expect

from tests.app.conftest import Visitor
from tests.app.site import Site, remember, site

pytestmark = pytest.mark.browser

TOKEN = "a-token-of-the-test-0123456789"


@pytest.fixture(scope="module")
def private_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("private"), token=TOKEN) as running:
        yield running


async def test_the_page_asks_for_the_token_once_and_then_shows_pictures(
    private_site: Site, visitor: Visitor
) -> None:
    remember(private_site.store, f"{visitor.name}.hall", [(1, "speech", "The coat hangs there.")])
    page = await visitor.open(private_site.url, "memory", wait=False)
    field = page.get_by_label("Token")
    await field.fill("wrong")
    await page.get_by_role("button", name="Come in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the token")
    assert len([one for one in visitor.problems if "401" in one]) >= 1
    visitor.problems.clear()
    await field.fill(TOKEN)
    await page.keyboard.press("Enter")
    first = page.get_by_role("list", name="Results").get_by_role("button").first
    await expect(first).to_contain_text("The coat hangs there.")
    await expect(first.locator("img")).to_be_visible()
    await page.reload()
    await expect(first).to_contain_text("The coat hangs there.")
    await page.get_by_role("tab", name="System").click()
    await expect(page.locator("#panel-system")).to_contain_text("agent_name")
    assert TOKEN not in await page.content()
    assert visitor.context is not None
    (cookie,) = await visitor.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert TOKEN not in cookie["value"]


def test_without_the_token_only_the_shell_is_there(private_site: Site) -> None:
    with httpx.Client(base_url=private_site.url) as client:
        for path in ("/", "/page/main.js", "/healthz", "/session"):
            assert client.get(path).status_code == 200, path
        for path in ("/v1/streams", "/metrics", "/docs", "/openapi.json", "/v1/settings"):
            assert client.get(path).status_code == 401, path
        assert client.post("/page/main.js").status_code == 401
        assert client.get("/session").json() == {"needed": True, "signed_in": False}


def test_the_cookie_is_good_for_our_own_page_alone(private_site: Site) -> None:
    with httpx.Client(base_url=private_site.url) as client:
        assert client.post("/session", json={"token": TOKEN}).status_code == 204
        assert client.get("/v1/streams").status_code == 200
        question = {"question": "Where is the coat?"}
        foreign = {"Origin": "https://elsewhere.example"}
        own = {"Origin": private_site.url}
        assert client.post("/v1/ask", json=question, headers=own).status_code == 200
        refused = client.post("/v1/ask", json=question, headers=foreign)
        assert refused.json()["error"]["code"] == "foreign_origin"
        bearer = {**foreign, "Authorization": f"Bearer {TOKEN}"}
        assert client.post("/v1/ask", json=question, headers=bearer).status_code == 200
        assert client.delete("/session").status_code == 204
        assert client.get("/v1/streams").status_code == 401


def test_a_forged_cookie_lets_nobody_in(private_site: Site) -> None:
    for forged in (TOKEN, "", "0" * 64):
        cookies = {"lookback_session": forged}
        with httpx.Client(base_url=private_site.url, cookies=cookies) as client:
            assert client.get("/v1/streams").status_code == 401


def test_the_settings_in_force_show_no_secret(private_site: Site) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = httpx.get(f"{private_site.url}/v1/settings", headers=headers)
    shown = {one["name"]: one["value"] for one in body.json()["settings"]}
    assert shown["token"] == "set"
    assert shown["agent_name"] == "Lookback"
    changed = {one["name"] for one in body.json()["settings"] if one["changed"]}
    assert "token" in changed
    assert "agent_name" not in changed
    assert TOKEN not in body.text


def test_a_page_of_another_site_changes_nothing_on_an_open_server(page_site: Site) -> None:
    files = {"file": ("film.mp4", b"0" * 64)}
    foreign = {"Origin": "https://elsewhere.example"}
    url = f"{page_site.url}/v1/streams/film/replay"
    assert httpx.post(url, files=files, headers=foreign).status_code == 403
    assert httpx.post(url, files=files).status_code == 415


def test_no_other_page_may_frame_ours(page_site: Site) -> None:
    shown = httpx.get(page_site.url)
    assert shown.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert shown.headers["x-content-type-options"] == "nosniff"
