"""scripts/with_services.py: what the command it runs can count on, and that nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis
from django.conf import settings

from tests.processes import Process, running

ROOT = Path(settings.BASE_DIR)
SCRIPT = ROOT / "scripts" / "with_services.py"
TELL_AND_WAIT = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print(os.environ["DATABASE_URL"], os.environ["REDIS_URL"], os.environ["TMPDIR"], "ready", flush=True)
signal.sigwait({signal.SIGTERM})
print("the command was told to stop", flush=True)
sys.exit(3)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def tell(process: Process) -> tuple[str, str, Path]:
    """The database, the Redis and the temporary folder of a command that runs TELL_AND_WAIT."""
    database, broker, folder, _ = process.wait_for("ready").split()
    return database, broker, Path(folder)


@pytest.fixture
def process():
    """TELL_AND_WAIT beside its services."""
    with running([SCRIPT, sys.executable, "-c", TELL_AND_WAIT], ROOT, os.environ) as process:
        yield process


def assert_nothing_listens(*urls: str) -> None:
    for url in urls:
        if url.startswith("redis"):
            with pytest.raises(redis.ConnectionError):
                redis.Redis.from_url(url).ping()
        else:
            with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
                psycopg2.connect(url)


def test_the_command_finds_a_postgresql_that_is_its_own_and_takes_a_password(process: Process) -> None:
    database, _, _ = tell(process)
    psycopg2.connect(database).close()
    assert database != os.environ["DATABASE_URL"]
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(database, password="something else")


def test_the_command_finds_an_empty_redis_of_its_own(process: Process) -> None:
    _, broker, _ = tell(process)
    with redis.Redis.from_url(broker) as client:
        assert client.dbsize() == 0
    assert urlsplit(broker).port != urlsplit(os.environ["REDIS_URL"]).port


@pytest.mark.parametrize("status", [0, 7])
def test_the_exit_status_is_the_commands(status: int) -> None:
    assert run(f"raise SystemExit({status})").returncode == status


def test_a_command_that_a_signal_ended_gives_128_and_the_signal() -> None:
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").returncode == 128 + signal.SIGKILL


def test_sigterm_reaches_the_command_and_then_nothing_is_left(process: Process) -> None:
    database, broker, folder = tell(process)
    process.signal(signal.SIGTERM)
    process.wait_for("the command was told to stop")
    assert process.wait() == 3
    assert_nothing_listens(database, broker)
    assert not folder.exists()


def test_a_failed_command_leaves_nothing() -> None:
    result = run("import os; print(os.environ['REDIS_URL'], os.environ['TMPDIR']); raise SystemExit(1)")
    broker, folder = result.stdout.split()
    assert_nothing_listens(broker)
    assert not Path(folder).exists()
