from __future__ import annotations

import pytest

from portal.csv_export import csv_response, neutralised


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_a_text_that_a_spreadsheet_would_calculate_stands_behind_an_apostrophe(text):
    assert neutralised(text) == f"'{text}"


@pytest.mark.parametrize("value", ["Covid", "18 to 39", "", -1, -0.5, None])
def test_other_texts_and_numbers_stay_as_they_are(value):
    assert neutralised(value) == value


def test_a_table_becomes_a_file_with_a_name():
    response = csv_response("flow", ["Day", "Signed"], [["2026-03-02", 3], ["=A1", -1]])

    assert response["Content-Disposition"] == 'attachment; filename="flow.csv"'
    assert response.content.decode("utf-8-sig").splitlines() == ["Day,Signed", "2026-03-02,3", "'=A1,-1"]
