"""The embedded mode as a new user meets it: one command, then the portal with sample cases that the AI has read."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import sys
from contextlib import AbstractContextManager, closing
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from django.apps import apps

from portal.append_only import AppendOnly
from tests.processes import HOST, ROOT, Process, free_port, running

VERBS = ("UPDATE", "DELETE")


def demo(var: Path, port: int) -> AbstractContextManager[Process]:
    hidden = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}  # embedded mode needs none of them
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env |= {"VAR_DIR": str(var), "PYTHONUNBUFFERED": "1"}
    return running([sys.executable, "manage.py", "demo", "--port", str(port)], cwd=ROOT, env=env)


def guarded_tables(database: Path) -> set[tuple[str, str]]:
    """Each table that refuses a change in the database itself, with what it refuses."""
    with closing(sqlite3.connect(database)) as connection:
        triggers = connection.execute("SELECT tbl_name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    return {(table, verb) for table, sql in triggers for verb in VERBS if f"BEFORE {verb}" in sql}


def send(browser: OpenerDirector, address: str, **form: str) -> str:
    """The page that follows on the form at this address, filled in."""
    page = browser.open(address).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    return browser.open(address, urlencode({**form, "csrfmiddlewaretoken": token[1]}).encode()).read().decode()


def sign_in(browser: OpenerDirector, address: str, password: str) -> str:
    return send(browser, f"{address}/account/login/", username="radiologist", password=password)


def new_browser() -> OpenerDirector:
    return build_opener(HTTPCookieProcessor(CookieJar()))


@pytest.mark.slow
def test_one_command_gives_a_worklist_of_sample_cases_and_a_second_start_keeps_them(tmp_path):
    port = free_port()
    address = f"http://{HOST}:{port}"
    with demo(tmp_path, port) as first:
        first.wait_for("All done.")
        assert address in first.said
        password = re.search(r"^  radiologist +(\S+)$", first.said, re.MULTILINE)
        assert password is not None
        browser = new_browser()
        assert "For research use only" in sign_in(browser, address, password[1])
        worklist = send(browser, f"{address}/account/research-use/")
        assert "Phantom" in worklist
        assert "synthetic" in worklist
        first.signal(signal.SIGINT)
        first.wait_for("Stopped.")
        assert first.wait() == 0
    assert (tmp_path / "demo-users.txt").stat().st_mode & 0o077 == 0
    assert guarded_tables(tmp_path / "portal.sqlite3") == {
        (model._meta.db_table, verb) for model in apps.get_models() if issubclass(model, AppendOnly) for verb in VERBS
    }

    with demo(tmp_path, port) as second:
        second.wait_for("All done.")
        assert password[1] not in second.said
        assert "Phantom" in sign_in(new_browser(), address, password[1])  # the notice is accepted once
        assert second.stop() == 0
    with socket.socket() as probe:  # nothing listens any more
        assert probe.connect_ex((HOST, port)) != 0


@pytest.mark.slow
def test_a_taken_port_is_one_sentence_that_says_what_to_do(tmp_path):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(tmp_path, port) as refused:
            refused.wait_for(f"Port {port} is taken. Choose another: make demo PORT={port + 1}")
            assert refused.wait() != 0
