"""What every test may use: Chromium for the browser tests, and a clear word when the services are missing."""

from __future__ import annotations

import os
import shutil

import pytest

# Playwright's synchronous interface keeps an event loop in the thread of the tests, where Django then refuses the ORM.
# The loop only drives the browser; no test touches the ORM from a coroutine.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

pytest_plugins = ["cases.tests.api", "cases.tests.cast", "cases.tests.doors", "cases.tests.storages"]

CHROMIUM_FLAGS = [
    "--no-sandbox",  # the sandbox does not start as root, which continuous integration is
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_configure(config: pytest.Config) -> None:
    if "DATABASE_URL" not in os.environ and not config.option.collectonly and not config.option.help:
        raise pytest.UsageError(
            "The tests need a private PostgreSQL and Redis: run them with `make test ARGS=...`, or with "
            "`scripts/with_services.py .venv/bin/python -m pytest ...`."
        )


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    """pytest-playwright's launch options: Debian's Chromium in place of a build that Playwright would download."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    return {**browser_type_launch_args, "executable_path": chromium, "args": CHROMIUM_FLAGS}
