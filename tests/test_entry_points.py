"""Production's own commands, docker/entrypoint.sh, on a real PostgreSQL and Redis."""

from __future__ import annotations

import http.client
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ENTRY_POINT, HOST, ROOT, Answer, Process, ask, free_port, manage, run, running


@pytest.fixture
def entry_point(migrated: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Process]:
    """The process named by the test's parameter."""
    with running([ENTRY_POINT, request.param], ROOT, {**migrated, "WEB_BIND": f"{HOST}:{free_port()}"}) as process:
        yield process


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "TIME_ZONE"])
def test_production_refuses_to_start_without(name: str, production: dict[str, str]) -> None:
    result = manage("check", env={key: value for key, value in production.items() if key != name})
    assert result.returncode != 0
    assert name in result.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "TIME_ZONE"])
def test_production_refuses_an_empty(name: str, production: dict[str, str]) -> None:
    result = manage("check", env={**production, name: ""})
    assert result.returncode != 0
    assert name in result.stderr


def test_production_refuses_to_make_results_up(production: dict[str, str]) -> None:
    result = manage("check", env={**production, "INFERENCE_STUB_MS": "0"})
    assert result.returncode != 0
    assert "INFERENCE_STUB_MS" in result.stderr


def test_production_keeps_what_the_address_of_the_database_asks_for(production: dict[str, str]) -> None:
    address = f"{production['DATABASE_URL']}?sslmode=require"  # the tests' own server has no certificate
    result = manage("migrate", "--check", env={**production, "DATABASE_URL": address})
    assert "server does not support SSL" in result.stderr


BUCKET = {"S3_BUCKET": "cxr", "S3_ENDPOINT_URL": "https://s3.example.org"}
TELL = "from django.conf import settings\nprint(settings.MEDIA_SERVING, settings.CONTENT_SECURITY_POLICY)"


def test_production_with_a_bucket_sends_browsers_there(production: dict[str, str]) -> None:
    result = manage("shell", "--no-imports", "--command", TELL, env={**production, **BUCKET})
    assert result.stdout.startswith("signed-url "), result.stderr
    assert "'https://s3.example.org'" in result.stdout


def test_production_refuses_to_let_nginx_send_what_is_in_a_bucket(production: dict[str, str]) -> None:
    result = manage("check", env={**production, **BUCKET, "MEDIA_SERVING": "x-accel"})
    assert result.returncode != 0
    assert "MEDIA_SERVING" in result.stderr


def test_djangos_deployment_check_finds_nothing(production: dict[str, str]) -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", env=production)
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


def test_a_statement_of_a_page_has_a_time_limit_and_one_of_a_migration_has_none(
    production: dict[str, str], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ntest "$2" != migrate || exec {sys.executable} -c "$TELL"\n')
    python.chmod(0o755)
    tell = """import django; django.setup(); from django.db import connection; cursor = connection.cursor()
cursor.execute("SHOW statement_timeout"); print(*cursor.fetchone())"""

    page = run([sys.executable, "-c", tell], production)
    migration = run([ENTRY_POINT, "migrate"], {**production, "TELL": tell, "PATH": f"{tmp_path}:{production['PATH']}"})

    assert (page.stdout, migration.stdout) == ("15s\n", "0\n"), page.stderr + migration.stderr


# Processes ------------------------------------------------------------------------------------------------------------


def test_migrating_again_changes_nothing(migrated: dict[str, str]) -> None:
    result = run([ENTRY_POINT, "migrate"], migrated)
    assert result.returncode == 0
    assert "No migrations to apply" in result.stdout


@pytest.mark.parametrize(
    ("entry_point", "ready"),
    [("web", "Listening at"), ("worker", "Worker ready"), ("worker-gpu", "Worker ready"), ("reaper", "Reaper started")],
    indirect=["entry_point"],
)
def test_a_process_starts_and_ends_cleanly_on_sigterm(entry_point: Process, ready: str) -> None:
    entry_point.wait_for(ready)
    entry_point.signal(signal.SIGTERM)
    assert entry_point.wait() == 0


def test_an_unknown_process_is_refused(production: dict[str, str]) -> None:
    result = run([ENTRY_POINT, "webb"], production)
    assert result.returncode == 2
    assert "usage" in result.stderr


# Web ------------------------------------------------------------------------------------------------------------------


def get(address: str, path: str, **headers: str) -> Answer:
    """What the web process itself answers; X-Forwarded-Proto says what nginx would."""
    connection = http.client.HTTPConnection(address, timeout=60)
    return ask(connection, "GET", path, {"X-Forwarded-Proto": "https"} | headers)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/account/login/"])
def test_the_web_process_answers(web: str, path: str) -> None:
    assert get(web, path).status == 200


def test_the_web_process_answers_the_containers_health_check(web: str, migrated: dict[str, str]) -> None:
    check = [sys.executable, ROOT / "docker" / "healthcheck.py"]
    assert run(check, {**migrated, "WEB_BIND": web}).returncode == 0
    assert run(check, {**migrated, "WEB_BIND": f"{HOST}:{free_port()}"}).returncode == 1


def test_a_page_sends_only_its_own_static_files_and_they_are_there(web: str) -> None:
    page = get(web, "/account/login/").text
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert addresses
    assert {get(web, address).status for address in addresses} == {200}


def test_a_host_name_that_is_not_ours_is_refused(web: str) -> None:
    assert get(web, "/account/login/", Host="elsewhere.example.org").status == 400
