"""The table of refusals."""

from __future__ import annotations

import re

import pytest

from cases.intake.errors import BY_CODE, IntakeError, Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_stable_code_a_client_status_and_two_sentences(reason):
    error = IntakeError(reason, seen="something")

    assert re.fullmatch(r"[a-z][a-z0-9_]+", error.code)
    assert error.status in {400, 413, 415, 422, 503, 507}
    assert re.fullmatch(r"[A-Z].+\.", error.cause)
    assert re.fullmatch(r"[A-Z].+\.", error.remedy)


def test_no_two_reasons_share_a_code():
    assert len(BY_CODE) == len(Reason)


def test_what_was_seen_cannot_carry_markup_of_a_terminal_or_a_flood():
    error = IntakeError(Reason.DICOM_MODALITY, seen="\x1b[31mX\r\n" + "y" * 5000)

    assert "\x1b" not in error.cause
    assert "\n" not in error.cause
    assert len(error.cause) < 150
