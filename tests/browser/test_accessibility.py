"""Every page under axe-core, dark and light: what a machine can check of WCAG 2.2, levels A and AA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from portal.accounts.access import Role, allows, rule_for
from tests.browser.conftest import LARGE, SMALL
from tests.world import OUR_OWN, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = (Path(__file__).parents[1] / "vendor/axe-core/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Swagger UI draws the API's reference; its own elements are not ours to mend, and the schema holds the same.
FIND_VIOLATIONS = """async (rules) => {
  const {violations} = await axe.run({exclude: [["#swagger-ui"]]}, {runOnly: rules});
  return violations.filter((rule) => ["serious", "critical"].includes(rule.impact))
    .map((rule) => `${rule.id}: ${rule.help}: ${rule.nodes.map((node) => node.html).join(" | ")}`);
}"""
# Addresses that show what the plain route does not: a form filled in from the address, a list that is empty.
VARIANTS = {"cases:worklist": ["?q=nobody-of-that-name"]}
IN_ADMIN = ["admin:index", "admin:accounts_user_changelist", "admin:accounts_user_add", "admin:accounts_facility_add"]


def pages_of(world: World, role: Role | None) -> Iterator[str]:
    """Addresses of what somebody of this role may open."""
    user = world.users[role] if role else None
    for route in OUR_OWN:
        if route.name.startswith("api:") and route.name != "api:docs":
            continue
        if allows(rule_for(route.name, "GET"), user) if user else route.name == "login":
            address = world.address(route, user)
            yield from [address, *(address + variant for variant in VARIANTS.get(route.name, []))]
    if role is Role.ADMINISTRATOR:
        yield from map(reverse, IN_ADMIN)


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)  # evaluated by the browser's debugger, which the page's security policy does not bind
    return page.evaluate(FIND_VIOLATIONS, RULES)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("role", [None, Role.LEAD, Role.ADMINISTRATOR, Role.AUDITOR], ids=str)
def test_no_page_has_a_serious_violation(page: Page, live_server, role, theme):
    world, client = World(), Client()
    if role:
        client.force_login(world.users[role])
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}],
        )
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    found: list[str] = []
    seen = 0
    for address in pages_of(world, role):
        answer = client.get(address)
        if answer.status_code != 200 or answer.streaming or not answer.content.lstrip().startswith(b"<!doctype html>"):
            continue  # an image, a download or a part of a page
        for size in (LARGE, SMALL):
            page.set_viewport_size(size)
            page.goto(live_server.url + address)
            seen += 1
            found += [f"{address} at {size['width']}: {violation}" for violation in violations(page)]
    assert seen
    assert not found, "\n".join(found)
