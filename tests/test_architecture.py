"""What the shape of the code promises: who imports whom, and what a web process never loads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

ROOT = Path(settings.BASE_DIR)
HEAVY = {"keras", "matplotlib", "openvino", "tensorflow"}
START_WEB_PROCESS = """
import json, sys

class Missing:
    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing(set(json.loads(sys.argv[1]))))

import django
from django.urls import get_resolver

django.setup()
get_resolver().url_patterns
import portal.wsgi
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


@cache
def modules_of_a_web_process(missing: tuple[str, ...] = ()) -> set[str]:
    """Top-level modules in a fresh interpreter once it has the WSGI application and every route.

    Args:
        missing: Modules that this interpreter is not to find.
    """
    command = [sys.executable, "-c", START_WEB_PROCESS, json.dumps(missing)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_a_web_process_loads_no_network_library() -> None:
    assert not HEAVY & modules_of_a_web_process()


def test_a_web_process_without_a_bucket_loads_no_s3_library() -> None:
    assert not {"boto3", "botocore", "storages"} & modules_of_a_web_process()


def test_a_web_process_loads_the_pdf_library_only_when_a_report_is_asked_for() -> None:
    assert "weasyprint" not in modules_of_a_web_process()


def test_a_web_process_needs_only_what_the_web_image_has() -> None:
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-web.txt").read_text(), flags=re.MULTILINE))
    missing = tuple(
        module
        for module, distributions in packages_distributions().items()
        if not locked & {re.sub(r"[-_.]+", "-", name).lower() for name in distributions}
    )
    assert HEAVY - {"openvino"} <= set(missing)
    assert "django" in modules_of_a_web_process(missing)


def test_the_import_arrows_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    out = StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=out)
    assert "No changes detected" in out.getvalue()
