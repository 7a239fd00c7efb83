"""The drill: back up, restore elsewhere, and find every row, every byte, the login and the case page again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from cases.backup import database
from cases.backup.folder import BackupFolder
from cases.inventory import Inventory
from cases.models import Patient, Radiograph
from cases.storage import ContentAddressedStorage, image_storage, read_verified
from cases.tests.factories import PASSWORD, FacilityFactory, RadiographFactory
from inference.heatmaps import picture_of
from inference.models import Heatmap, Run
from inference.tests.factories import succeeded_run
from portal.accounts.models import Facility
from portal.audit.models import AuditEvent, Event
from tests.conftest import execute
from tests.processes import ROOT, running, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def use_new_database(transactional_db) -> Iterator[Callable[[], None]]:
    """Makes a new, empty database on the private server the portal's."""
    own, made = connection.settings_dict["NAME"], []

    def switch(name: str) -> None:
        connection.close()
        connection.settings_dict["NAME"] = name

    def use() -> None:
        made.append(f"restored_{uuid.uuid4().hex}")
        execute(f"CREATE DATABASE {made[-1]}")
        switch(made[-1])

    yield use
    switch(own)
    for name in made:
        execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def use_database_of_an_owner(use_new_database) -> Iterator[Callable[[], str]]:
    """Makes a new database the portal's, and a role that owns it and may do nothing else; gives the database's name."""
    known = connection.settings_dict
    own = {name: known[name] for name in ("USER", "PASSWORD")}

    def use() -> str:
        use_new_database()
        role = f"owner_{uuid.uuid4().hex}"
        execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER PASSWORD 'owner'")
        execute(f"ALTER DATABASE {known['NAME']} OWNER TO {role}")
        known.update(USER=role, PASSWORD="owner")
        return known["NAME"]

    yield use
    known.update(own)


@pytest.fixture
def run_of_a_case(use_folder, radiologist) -> Run:
    use_folder()
    return succeeded_run(radiograph=RadiographFactory(case__patient__facility=radiologist.facility))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def back_up(folder: Path) -> str:
    out = StringIO()
    call_command("backup", folder, stdout=out)
    return out.getvalue()


def bring_back(folder: Path, *options: str) -> str:
    out = StringIO()
    call_command("restore", folder, *options, stdout=out)
    return out.getvalue()


def refusal_to_bring_back(folder: Path, *options: str) -> str:
    with pytest.raises(CommandError) as error:
        bring_back(folder, *options)
    return str(error.value)


def test_nobody_is_signed_in_by_a_restore(run_of_a_case, use_new_database, use_folder, client_of, radiologist, folder):
    browser = client_of(radiologist)
    assert browser.get(reverse("cases:worklist")).status_code == 200
    back_up(folder)
    use_new_database()
    use_folder()

    bring_back(folder)

    assert browser.get(reverse("cases:worklist")).status_code == 302


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_the_drill(request, kind, radiologist, use_new_database, folder):
    use_new_storage = request.getfixturevalue(f"use_{kind}")
    use_new_storage()
    run = succeeded_run(radiograph=RadiographFactory(case__patient__facility=radiologist.facility))
    heatmap = Heatmap.objects.filter(is_usable=True).first()
    heatmap_bytes = picture_of(heatmap)
    rows, files = database.row_counts(), list(Inventory.of_the_database())

    said = back_up(folder)
    use_new_database()
    use_new_storage()
    assert "what was revoked since works again" in bring_back(folder)

    assert f"{len(files)} images" in said
    assert len(files) == 2
    assert database.row_counts() == {**rows, "audit_auditevent": rows["audit_auditevent"] + 1}
    assert list(Inventory.of_the_database()) == files
    assert sorted(file.name for file in image_storage().walk()) == [name for name, _ in files]
    for name, sha256 in files:
        read_verified(name, sha256)
    assert AuditEvent.objects.first().event == Event.RESTORED_BACKUP

    client = Client()
    client.post(reverse("login"), {"username": radiologist.username, "password": PASSWORD})
    page = client.get(reverse("cases:case", args=[run.radiograph.case.uid]))
    assert page.status_code == 200
    assert run.radiograph.patient.family_name in page.content.decode()
    image = client.get(reverse("inference:heatmap", args=[heatmap.uid]))
    assert image.content == heatmap_bytes
    with pytest.raises(Exception, match="append-only"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditevent")


def test_what_happens_during_a_backup_is_in_the_next_one(
    run_of_a_case, use_new_database, use_folder, folder, monkeypatch
):
    taken = Inventory.of_the_database

    def meanwhile():
        with ThreadPoolExecutor(1) as other:
            other.submit(lambda: (FacilityFactory(name="Meanwhile"), connection.close())).result()
        return taken()

    monkeypatch.setattr(Inventory, "of_the_database", meanwhile)
    back_up(folder)
    monkeypatch.undo()
    assert Facility.objects.filter(name="Meanwhile").exists()

    use_new_database()
    use_folder()
    bring_back(folder)

    assert not Facility.objects.filter(name="Meanwhile").exists()


def test_a_second_backup_copies_what_is_new_and_leaves_the_first_whole(run_of_a_case, folder, monkeypatch):
    back_up(folder)
    (first,) = folder.glob("[!.]*/manifest.json")
    RadiographFactory()
    copied, save = [], ContentAddressedStorage._save
    monkeypatch.setattr(ContentAddressedStorage, "_save", lambda *file: copied.append(file[1]) or save(*file))

    back_up(folder)

    assert len(copied) == 2
    assert "and 4 images" in bring_back(folder, "--check")
    assert "and 2 images" in bring_back(folder, "--check", "--backup", first.parent.name)


def test_a_backup_can_be_checked_without_the_portal(run_of_a_case, folder):
    back_up(folder)
    (listing,) = folder.glob("[!.]*/files.sha256")

    done = subprocess.run(["sha256sum", "--check", listing], cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert done.stdout.count(": OK") == 2


def test_a_backup_that_breaks_off_is_none(run_of_a_case, folder, monkeypatch):
    monkeypatch.setattr("cases.backup.folder.Backup.finish", lambda *args, **facts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        back_up(folder)
    monkeypatch.undo()

    assert "There is no whole backup" in refusal_to_bring_back(folder, "--check")
    back_up(folder)
    assert "and 2 images" in bring_back(folder, "--check")
    assert not list(folder.glob(".partial-*"))


def test_two_backups_at_once_are_refused(run_of_a_case, folder):
    with BackupFolder(folder).new(), pytest.raises(CommandError, match="Another backup"):
        back_up(folder)


def test_an_image_that_is_lost_is_told_and_the_others_are_kept(run_of_a_case, use_new_database, use_folder, folder):
    image_storage().delete(run_of_a_case.radiograph.original.name)

    with pytest.raises(CommandError, match="1 images are missing") as error:
        back_up(folder)
    assert error.value.returncode == 1
    use_new_database()
    use_folder()

    assert "1 images were lost before" in bring_back(folder)
    assert read_verified(run_of_a_case.radiograph.preview.name, run_of_a_case.radiograph.preview_sha256)


@pytest.fixture
def backed_up(run_of_a_case, folder) -> Path:
    """The folder of the one backup in ``folder``."""
    back_up(folder)
    (manifest,) = folder.glob("[!.]*/manifest.json")
    return manifest.parent


class TestRefusals:
    @pytest.mark.parametrize("name", ["database.dump", "files.sha256"])
    def test_a_damaged_file_of_the_backup(self, backed_up, folder, name):
        (backed_up / name).write_bytes(b"damaged")

        assert f"{name} is damaged" in refusal_to_bring_back(folder, "--overwrite")

    def test_a_file_of_the_backup_that_is_gone(self, backed_up, folder):
        (backed_up / "database.dump").unlink()

        assert "cannot be read" in refusal_to_bring_back(folder, "--overwrite")

    def test_a_damaged_image(self, backed_up, folder):
        image = next(path for path in (folder / "media").rglob("*.png"))
        image.write_bytes(b"damaged")

        assert "1 images of backup" in refusal_to_bring_back(folder, "--overwrite")
        assert Patient.objects.exists()

    def test_another_kind_of_database_and_another_release(self, backed_up, folder):
        said = json.loads((backed_up / "manifest.json").read_text())

        for change, sentence in [
            ({"vendor": "sqlite"}, "The backup is of sqlite, this portal runs on postgresql."),
            ({"migrations": ["cases.9999_future"]}, "cases.9999_future is unknown"),
            ({"format": 2}, "has format 2"),
            ({"format": 1, "colour": "blue"}, "cannot be read"),
        ]:
            (backed_up / "manifest.json").write_text(json.dumps({**said, **change}))
            assert sentence in refusal_to_bring_back(folder, "--overwrite")

    def test_a_database_that_is_not_empty(self, backed_up, folder):
        assert "The database is not empty." in refusal_to_bring_back(folder)

    def test_a_storage_with_other_images(self, backed_up, folder, use_new_database):
        image_storage().save("facilities/other.png", ContentFile(b"other"))
        use_new_database()

        assert "The storage for images is not empty." in refusal_to_bring_back(folder)

    def test_no_backup_of_that_name(self, backed_up, folder):
        assert "There is no whole backup yesterday" in refusal_to_bring_back(folder, "--backup", "yesterday")


def test_a_database_is_replaced_where_that_is_said(backed_up, folder):
    RadiographFactory()
    image_storage().delete(Radiograph.objects.earliest("pk").preview.name)

    bring_back(folder, "--overwrite")

    assert Patient.objects.count() == 1
    call_command("scrub", stdout=StringIO())
    assert database.row_counts()["audit_auditevent"] == AuditEvent.objects.count()


def test_rows_are_counted_however_long_that_takes(backed_up, folder, monkeypatch):
    count = database.row_counts

    def count_slowly():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(2)")
        return count()

    monkeypatch.setattr(database, "row_counts", count_slowly)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '1s'")

    assert "Restored" in bring_back(folder, "--overwrite")


@pytest.mark.parametrize("who", ["administrator", "owner"])
def test_the_drill_by_a_role_that_owns_the_database_and_no_more(
    run_of_a_case, folder, use_database_of_an_owner, use_folder, who
):
    back_up(folder)
    name = use_database_of_an_owner()
    use_folder()
    if who == "administrator":
        execute("CREATE EXTENSION pg_trgm", database=name)

    assert "Restored" in bring_back(folder)
    RadiographFactory()
    assert "Restored" in bring_back(folder, "--overwrite")

    assert Patient.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_extension JOIN pg_roles ON extowner = pg_roles.oid "
            "WHERE extname = 'pg_trgm' AND extnamespace = 'public'::regnamespace"
        )
        (made_by,) = cursor.fetchone()
        assert (made_by == connection.settings_dict["USER"]) == (who == "owner")
        with pytest.raises(Exception, match="append-only"):
            cursor.execute("DELETE FROM audit_auditevent")


def test_a_database_that_could_not_be_replaced_is_what_it_was(backed_up, folder):
    RadiographFactory()
    rows = database.row_counts()
    cut_short(backed_up)

    assert "pg_restore failed" in refusal_to_bring_back(folder, "--overwrite")

    assert database.row_counts() == rows


@pytest.fixture
def restore_halts(transactional_db) -> Iterator[Callable[[], None]]:
    """Restoring stops before the first new table, until the block's function is called."""
    execute_here = connection.cursor().execute
    execute_here("CREATE SCHEMA halting")
    execute_here(
        "CREATE FUNCTION halting.wait() RETURNS event_trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_advisory_xact_lock(20261126); END'"
    )
    execute_here(
        "CREATE EVENT TRIGGER halting ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION halting.wait()"
    )
    execute_here("SELECT pg_advisory_lock(20261126)")

    def go_on() -> None:
        execute_here("SELECT pg_advisory_unlock(20261126)")

    yield go_on
    execute_here("DROP EVENT TRIGGER halting")
    execute_here("DROP SCHEMA halting CASCADE")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_database_whose_replacement_was_killed_is_what_it_was_and_stays_so(backed_up, folder, restore_halts, number):
    RadiographFactory()
    rows = database.row_counts()
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    command = [sys.executable, "manage.py", "restore", folder, "--overwrite"]

    with running(command, ROOT, {**os.environ, "DATABASE_URL": address}) as restore:
        wait_until(lambda: sessions_of_psql("wait_event_type = 'Lock'"), "psql waits for the first table")
        restore.signal(number)
        assert restore.wait() == (-number if number == signal.SIGKILL else 128 + number)
    restore_halts()
    wait_until(lambda: not sessions_of_psql("true"), "psql has ended")
    assert database.row_counts() == rows
    cut_short(backed_up)
    assert "pg_restore failed" in refusal_to_bring_back(folder, "--overwrite")

    assert database.row_counts() == rows


def sessions_of_psql(condition: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "  # noqa: S608 - the test's own
            f"WHERE datname = current_database() AND application_name = 'psql' AND {condition}"
        )
        return cursor.fetchone()[0]


def cut_short(backup: Path) -> None:
    """Damages the dump so that only pg_restore can tell."""
    dump, manifest = backup / "database.dump", backup / "manifest.json"
    dump.write_bytes(dump.read_bytes()[:-200])
    said = json.loads(manifest.read_text())
    said["hashes"]["database.dump"] = subprocess.check_output(["sha256sum", dump], text=True).split()[0]
    manifest.write_text(json.dumps(said))


def test_a_database_that_is_still_in_use_is_not_waited_for(backed_up, folder):
    with transaction.atomic():
        Patient.objects.get()
        assert "lock timeout" in refusal_to_bring_back(folder, "--overwrite")


EMBEDDED = """
import sys, django
django.setup()
from django.core.management import call_command
from django.db import IntegrityError, connection
from cases.backup.database import row_counts
if sys.argv[1] == "backup":
    call_command("migrate", verbosity=0)
    from cases.tests.factories import RadiographFactory
    RadiographFactory()
call_command(*sys.argv[1:])
print({table: count for table, count in row_counts().items() if not table.startswith("audit")})
try:
    connection.cursor().execute("DELETE FROM audit_auditevent")
except IntegrityError as error:
    print(error)
"""


def test_the_drill_in_embedded_mode(tmp_path, folder):
    def on_a_machine(name: str, command: str) -> list[str]:
        (tmp_path / name).mkdir()
        env = {"DJANGO_SETTINGS_MODULE": "portal.settings.embedded", "VAR_DIR": str(tmp_path / name)}
        command = [sys.executable, "-c", EMBEDDED, command, str(folder)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    first, second = on_a_machine("first", "backup"), on_a_machine("second", "restore")

    assert "2 images" in first[0]
    assert "Restored" in second[0]
    assert first[1:] == second[2:]  # beside the line about tokens
    assert first[2] == "audit_auditevent is append-only"
