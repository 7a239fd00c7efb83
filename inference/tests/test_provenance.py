from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from inference.tests import tiny
from inference.training.provenance import command_line, provenance, write_evidence


def test_evidence_states_day_command_and_weights():
    stated = provenance([tiny.spec(), tiny.spec(version="2", weights_sha256="1" * 64)], ["manage.py", "evaluate"])

    assert datetime.date.fromisoformat(stated["date"])
    assert stated["command"] == "manage.py evaluate"
    assert stated["weights_sha256"] == {"tiny-1": "0" * 64, "tiny-2": "1" * 64}


@pytest.mark.skipif(not (Path(settings.BASE_DIR) / ".git").exists(), reason="not a Git checkout")
def test_evidence_states_the_commit_and_whether_the_code_was_changed():
    stated = provenance([])

    assert re.fullmatch("[0-9a-f]{40}", stated["commit"])
    assert stated["dirty"] in (True, False)


def test_outside_a_checkout_the_commit_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "absent"))

    stated = provenance([])

    assert (stated["commit"], stated["dirty"]) == (None, None)


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("../shared/val", "../shared/val"),
        ("/srv/secret-place/val", "val"),
        ("--data=/srv/secret-place/val", "--data=val"),
        (str(Path(settings.BASE_DIR) / "docs" / "evidence"), "docs/evidence"),
        ("two words", "'two words'"),
        ("--seed", "--seed"),
    ],
)
def test_the_command_names_no_folder_of_this_machine(argument, shown):
    assert command_line(["manage.py", argument]) == f"manage.py {shown}"


def test_figures_that_are_no_numbers_are_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_evidence({"accuracy": float("nan")}, tmp_path / "deep" / "val.json")

    write_evidence({"accuracy": 0.5}, tmp_path / "deep" / "val.json")
    assert json.loads((tmp_path / "deep" / "val.json").read_text()) == {"accuracy": 0.5}
