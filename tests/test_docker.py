"""The container files: there is no Docker here to run them, so they are checked against all that they refer to."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import psycopg2
import pytest
import yaml
from django.conf import settings

from cases.backup.database import program
from tests.conftest import execute

ROOT = Path(settings.BASE_DIR)
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PORTAL_SERVICES = ["migrate", "web", "reaper", "worker", "worker-gpu", "ops"]
PASSING_SERVICES = {"migrate", "ops"}
IMAGES = ["web", "worker", "worker-gpu"]


def stages() -> dict[str, str]:
    """The text of each stage of the Dockerfile."""
    text = (DOCKER / "Dockerfile").read_text()
    return {
        match[2]: match[0] for match in re.finditer(r"^FROM (\S+) AS (\S+)\n(?:(?!FROM ).*\n)*", text, re.MULTILINE)
    }


def names_in(path: Path) -> set[str]:
    """Environment variables that a compose file, a shell script or a template takes as ${NAME} or ${NAME:-default}."""
    return set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", path.read_text()))


def names_that_settings_read() -> set[str]:
    """First arguments of env("NAME"), env.int("NAME") and their like in portal/settings, but for the tests' own."""
    calls = (
        node
        for path in (ROOT / "portal" / "settings").glob("*.py")
        if path.name != "test.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.args[0] if node.args else None, ast.Constant)
    )
    return {call.args[0].value for call in calls if re.fullmatch(r"env(\.\w+)?", ast.unparse(call.func))}


def names_in_env_example() -> list[str]:
    return re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)


# compose.yaml ---------------------------------------------------------------------------------------------------------


def test_the_compose_file_follows_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests" / "vendor" / "compose-spec" / "compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_only_nginx_is_reachable_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    assert [name for name, service in SERVICES.items() if "outside" in service["networks"]] == ["nginx"]
    assert COMPOSE["networks"]["inside"]["internal"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_refers_to_is_there(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    for dependency, how in service.get("depends_on", {}).items():
        assert dependency in SERVICES
        assert how["condition"] != "service_healthy" or not SERVICES[dependency].get("healthcheck", {}).get("disable")
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        if source.startswith("./"):
            assert (DOCKER / source).is_file()
        elif not source.startswith("$"):
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", PORTAL_SERVICES)
def test_a_portal_service_builds_a_stage_and_runs_a_command_of_the_entry_point(name: str) -> None:
    service = SERVICES[name]
    assert service["build"]["target"] in stages()
    assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    (command,) = service["command"]
    assert re.search(rf"^{command}\)$", (DOCKER / "entrypoint.sh").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_log_of_a_service_does_not_grow_without_end(name: str) -> None:
    assert SERVICES[name]["logging"] == {"driver": "local"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - PASSING_SERVICES))
def test_a_lasting_service_is_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["web", "reaper", "worker"])
def test_a_service_that_runs_wild_meets_a_bound(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert all("size=" in folder for folder in service["tmpfs"])


def test_postgresql_is_not_called_ready_by_the_server_that_sets_it_up() -> None:
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert check[check.index("--host") + 1] == "127.0.0.1"


def test_the_portals_role_owns_its_database_and_is_no_superuser() -> None:
    script, folder = SERVICES["postgres"]["volumes"][1].split(":")[:2]
    assert Path(folder).parent == Path("/docker-entrypoint-initdb.d")
    superuser, owner, password = f"superuser_{uuid.uuid4().hex}", f"portal_{uuid.uuid4().hex}", "it's secret"
    execute(f"CREATE ROLE {superuser} LOGIN SUPERUSER PASSWORD 'temporary'")
    execute(f"CREATE DATABASE {owner}")
    server = urlsplit(os.environ["DATABASE_URL"])
    address = {"PGHOST": server.hostname, "PGPORT": str(server.port), "PGPASSWORD": "temporary"}
    image = {"POSTGRES_USER": superuser, "POSTGRES_DB": owner, "POSTGRES_PASSWORD": password}
    path = f"{Path(program('psql')).parent}:{os.environ['PATH']}"

    subprocess.run([DOCKER / script], env={**address, **image, "PATH": path}, check=True)

    known = {"host": server.hostname, "port": server.port}
    with closing(psycopg2.connect(**known, user=owner, password=password, dbname=owner)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False, False)
        cursor.execute("CREATE EXTENSION pg_trgm; CREATE TABLE public.it_may_migrate ()")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(**known, user=superuser, password="temporary", dbname=owner)
    execute(f"DROP DATABASE {owner} WITH (FORCE)")


def test_postgresql_logs_neither_the_statement_nor_the_values_of_an_error() -> None:
    assert {"log_min_error_statement=panic", "log_error_verbosity=terse"} <= set(SERVICES["postgres"]["command"])


def test_the_gpu_worker_waits_for_its_profile_and_asks_for_a_gpu() -> None:
    service = SERVICES["worker-gpu"]
    assert service["profiles"] == ["gpu"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["worker-gpu", "ops"]


# Dockerfile -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_unprivileged_and_can_tell_its_health(image: str) -> None:
    stage = stages()[image]
    (user,) = re.findall(r"^USER (\d+)$", stage, re.MULTILINE)
    assert int(user) > 0
    assert "HEALTHCHECK" in stage
    assert re.search(r"^CMD \[", stage, re.MULTILINE)


def test_backups_are_made_unprivileged_by_the_programs_of_the_server_in_compose() -> None:
    ops = stages()["ops"]
    assert ops.startswith(f"FROM {SERVICES['postgres']['image']} ")
    assert "\nUSER 10001\n" in ops


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_installs_a_lock_with_hashes(image: str) -> None:
    install = stages()[f"install-{image}"]
    (lock,) = re.findall(r"^COPY (\S+) \.$", install, re.MULTILINE)
    assert (ROOT / lock).is_file()
    assert re.search(rf"--require-hashes --requirement {lock}$", install, re.MULTILINE)


def test_a_build_sees_the_code_and_no_data_or_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert {"manage.py", "portal", "cases", "inference", "templates", "static"} <= let_through
    assert all(list(ROOT.glob(name)) for name in let_through)
    assert not let_through & {".env", "var", ".git", "runs"}


# Settings -------------------------------------------------------------------------------------------------------------


def test_env_example_lists_what_is_read_and_nothing_else() -> None:
    read = names_that_settings_read() | names_in(DOCKER / "compose.yaml") | names_in(DOCKER / "entrypoint.sh")
    assert sorted(names_in_env_example()) == sorted(read)


def test_env_example_explains_every_setting() -> None:
    text = (ROOT / ".env.example").read_text()
    paragraphs = re.findall(r"(^# [^-].*\n)((?:#?[A-Z][A-Z0-9_]*=.*\n)+)", text, re.MULTILINE)
    explained = {name for _, lines in paragraphs for name in re.findall(r"^#?([A-Z0-9_]+)=", lines, re.MULTILINE)}
    assert explained == set(names_in_env_example())


def test_nginx_gets_every_value_that_its_template_asks_for() -> None:
    assert names_in(DOCKER / "nginx" / "portal.conf.template") == set(SERVICES["nginx"]["environment"])
