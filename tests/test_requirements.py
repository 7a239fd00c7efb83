"""The locks: hashed, consistent with each other, free of what must not be installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
LOCKS = ("requirements-web.txt", "requirements.txt", "requirements-test.txt", "requirements-gpu.txt")


def pins(lock: str) -> dict[str, str]:
    """Package name to version."""
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


@pytest.mark.parametrize(("smaller", "larger"), [(LOCKS[0], LOCKS[1]), (LOCKS[1], LOCKS[2]), (LOCKS[1], LOCKS[3])])
def test_a_lock_holds_the_smaller_one_unchanged(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize(
    "package",
    [
        pytest.param("psycopg", id="psycopg 3, which Django would take instead of psycopg2"),
        pytest.param("pylibjpeg-libjpeg", id="pylibjpeg-libjpeg, which is under the GPL"),
    ],
)
def test_a_lock_leaves_out_what_must_not_be_installed(lock: str, package: str) -> None:
    assert package not in pins(lock)


def test_the_web_lock_has_no_network_library() -> None:
    assert not pins("requirements-web.txt").keys() & {"tensorflow", "keras", "openvino", "matplotlib"}
