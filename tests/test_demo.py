"""The embedded mode as a new user meets it: one command, then the portal with sample cases that the AI has read."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_demo(var: Path, port: int) -> subprocess.Popen[str]:
    hidden = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}  # embedded mode needs none of them
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env |= {"VAR_DIR": str(var), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "manage.py", "demo", "--port", str(port)]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """What the demo has printed up to and including the first line that matches."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return "".join(seen)
    pytest.fail(f"The demo ended without printing {pattern!r}:\n" + "".join(seen))


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    return output


def sign_in(address: str, password: str):
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    page = browser.open(f"{address}/account/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    form = {"username": "radiologist", "password": password, "csrfmiddlewaretoken": token[1]}
    return browser.open(f"{address}/account/login/", urlencode(form).encode())


@pytest.mark.slow
def test_one_command_gives_a_worklist_of_sample_cases_and_a_second_start_keeps_them(tmp_path):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    demo = start_demo(tmp_path, port)
    try:
        printed = read_until(demo, r"^Runs: (?!.*(queued|running))")
        password = re.search(r"^  radiologist +(\S+)$", printed, re.MULTILINE)
        assert password is not None
        assert address in printed
        worklist = sign_in(address, password[1]).read().decode()
        assert "Phantom" in worklist
        assert "synthetic" in worklist.lower()
    finally:
        output = stop(demo)
    assert demo.returncode == 0
    assert "Stopped." in output
    assert (tmp_path / "demo-users.txt").stat().st_mode & 0o077 == 0

    again = start_demo(tmp_path, port)
    try:
        printed = read_until(again, r"^Runs: ")
        assert password[1] not in printed
        assert "Phantom" in sign_in(address, password[1]).read().decode()
    finally:
        stop(again)
    with socket.socket() as probe:  # nothing listens any more
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
def test_a_taken_port_is_one_sentence_that_says_what_to_do(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = start_demo(tmp_path, port)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode != 0
    assert f"Port {port} is taken. Choose another: make demo PORT={port + 1}" in output
