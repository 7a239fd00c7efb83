"""Production as the tests of this folder start it: docker/entrypoint.sh on a database of its own."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.conf import settings

from tests.processes import ENTRY_POINT, HOST, ROOT, free_port, manage, run, running


def execute(sql: str, *, database: str | None = None) -> None:
    """Run a statement on the private server, in its own database unless another is named, outside any transaction."""
    address = urlsplit(os.environ["DATABASE_URL"])
    if database is not None:
        address = address._replace(path=f"/{database}")
    with closing(psycopg2.connect(address.geturl())) as connection:
        connection.autocommit = True
        connection.cursor().execute(sql)


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The URL of a new, empty database."""
    name = f"production_{uuid.uuid4().hex}"
    execute(f"CREATE DATABASE {name}")
    yield urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def production(database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a production process; the test settings and their variables stay out of it."""
    folder = tmp_path_factory.mktemp("production")
    xdist_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "portal.settings.production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": HOST,
        "TIME_ZONE": "UTC",
        "DATABASE_URL": database,
        "REDIS_URL": urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{8 + xdist_worker}").geturl(),
        "MEDIA_ROOT": str(folder / "media"),
        "INTAKE_TMP_DIR": str(folder / "intake"),
        "STATIC_ROOT": str(folder / "static"),
        "ENGINE_CACHE_DIR": str(settings.ENGINE_CACHE_DIR),
        "WEB_BIND": f"{HOST}:{free_port()}",
        "WEB_WORKERS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


@pytest.fixture(scope="session")
def migrated(production: dict[str, str]) -> dict[str, str]:
    """The environment, once `migrate` has run in it."""
    result = run([ENTRY_POINT, "migrate"], production)
    assert result.returncode == 0, result.stdout + result.stderr
    return production


@pytest.fixture(scope="session")
def web(migrated: dict[str, str]) -> Iterator[str]:
    """The address of a web process with its static files in place."""
    result = manage("collectstatic", "--no-input", env=migrated)
    assert result.returncode == 0, result.stderr
    with running([ENTRY_POINT, "web"], ROOT, migrated) as process:
        process.wait_for("Listening at")
        yield migrated["WEB_BIND"]
