from __future__ import annotations

import pytest

from cases import labels
from cases.tests.factories import CaseFactory


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("covid", "Covid"),
        ("tuberculosis", "Tuberculosis"),
        ("not_diagnostic", "Not diagnostic"),
        ("tb", "Tuberculosis"),
        ("copd", "COPD"),
        ("", ""),
    ],
)
def test_a_class_code_reads_as_words(code, title):
    assert labels.title(code) == title


@pytest.mark.django_db
def test_a_reader_without_any_model_still_has_labels_to_choose_from():
    assert labels.read_labels(CaseFactory()) == ["covid", "normal", "pneumonia", "other", "not_diagnostic"]
