"""The report of a case: what it says, to whom, and that making it reaches for nothing outside of it."""

from __future__ import annotations

import io
import sys
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import reverse
from PIL import ImageFile
from pypdf import PdfReader

from cases.corrections import correct_patient
from cases.lab_results import add_lab_result
from cases.models import Case
from cases.reading import save_review, sign_case
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from inference.models import Heatmap, ModelVersion
from inference.outcomes import Doubt
from inference.report import pdf
from inference.report.content import IMAGES_AT_MOST
from inference.report.documents import STYLE
from inference.tests.factories import (
    ModelVersionFactory,
    PipelineFactory,
    failed_run,
    refused_run,
    succeeded_run,
)
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db

CARD = """# Covidnet-8
## Intended use
Second look in a reading queue.
## Metrics
AUC 0.986
## Caveats and recommendations
- Expect less in another hospital.
"""


@pytest.fixture
def case(facility, submitter) -> Case:
    patient = PatientFactory(
        facility=facility, family_name="Lovelace", given_name="Ada", medical_record_number="MRN-9", sex="F"
    )
    return CaseFactory(patient=patient, submitted_by=submitter, indication="Dry cough", symptom_onset=date(2026, 3, 1))


def pages(content: bytes) -> list[str]:
    """The text of each page, with single spaces."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(content)).pages]


@pytest.fixture
def report(client_of):
    """Both forms as a user gets them, as plain text: (page, PDF)."""

    def both(user, case: Case, **query) -> tuple[str, str]:
        client = client_of(user)
        page = client.get(reverse("inference:report", args=[case.uid]), query)
        printed = client.get(reverse("inference:report-pdf", args=[case.uid]), query)
        assert page.status_code == printed.status_code == 200
        return page.content.decode(), " ".join(pages(printed.content))

    return both


def test_a_signed_report_says_who_what_by_whom_and_with_which_models(report, radiologist, case):
    version = ModelVersionFactory(card=CARD)
    run = succeeded_run(radiograph=RadiographFactory(case=case), pipeline=PipelineFactory(members=[version]))
    add_lab_result(
        patient=case.patient, kind="rt_pcr", result="positive", collected_on=date(2026, 3, 4), actor=radiologist
    )
    sign_case(
        case=case,
        reader=radiologist,
        first_impression="normal",
        final_label="covid",
        findings="Patchy opacities at both bases.",
    )

    for text in report(radiologist, case):
        for words in (
            "Lovelace, Ada",
            "MRN-9",
            "Dry cough",
            "1 March 2026",
            "Patchy opacities at both bases.",
            "Signed by",
            str(radiologist),
            "First impression: Normal",
            "It was not blind",
            "RT-PCR",
            "0.700",
            "Calibrated",
            str(version),
            str(run.pipeline),
            "gate version 1",
            "Second look in a reading queue.",
            "Expect less in another hospital.",
            str(case.uid),
        ):
            assert words in text, words
        assert version.weights_sha256 in text.replace(" ", "")
        assert "DRAFT" not in text
        assert "AUC" not in text


def test_a_signed_report_says_what_of_the_patient_was_changed_after_it(report, radiologist, lead, case):
    def correct(**said) -> None:
        case.patient.refresh_from_db()
        details = {name: getattr(case.patient, name) for name in ("family_name", "given_name", "birth_date", "sex")}
        version = case.patient.details_version
        correct_patient(
            patient=case.patient, **{**details, **said}, details_version=version, reason="Mistyped", actor=lead
        )

    correct(given_name="Ada Augusta")
    sign_case(case=case, reader=radiologist, final_label="normal")
    for text in report(radiologist, case):
        assert "after this case was signed" not in text

    correct(birth_date=date(1980, 12, 10))

    for text in report(radiologist, case):
        for words in (
            "10 December 1980",
            "Birth date changed on",
            f"by {lead}, after this case was signed: was 17 May 1961, became 10 December 1980.",
            "Reason: Mistyped",
        ):
            assert words in text
        assert "Given name changed" not in text


def test_each_page_of_the_pdf_bears_the_notice_its_number_and_the_case(client_of, radiologist, case):
    sign_case(case=case, reader=radiologist, final_label="other", findings="A line of findings.\n" * 120)

    content = client_of(radiologist).get(reverse("inference:report-pdf", args=[case.uid])).content

    found = pages(content)
    assert len(found) > 2
    for number, text in enumerate(found, start=1):
        assert settings.RESEARCH_NOTICE in text
        assert f"{number} of {len(found)}" in text
        assert f"Case {case.uid}" in text


def test_the_style_of_print_bears_the_notice_word_for_word():
    assert f'"{settings.RESEARCH_NOTICE}"' in Path(str(finders.find(STYLE))).read_text()


def test_a_report_before_the_signature_is_marked_as_a_draft_on_every_page(client_of, report, radiologist, case):
    save_review(case=case, reader=radiologist, final_label="pneumonia", findings="Unfinished.\n" * 120)

    content = client_of(radiologist).get(reverse("inference:report-pdf", args=[case.uid])).content

    assert all("DRAFT – not signed" in text for text in pages(content))
    for text in report(radiologist, case):
        assert "Unfinished." in text
        assert "Signed by" not in text


def test_a_colleagues_draft_is_in_nobody_elses_report(report, radiologist, colleague, case):
    save_review(case=case, reader=colleague, final_label="pneumonia", findings="Not for other eyes")

    for text in report(radiologist, case):
        assert "Not for other eyes" not in text
        assert "No read of this case is signed." in text


@pytest.mark.usefixtures("blind_facility")
def test_before_the_first_impression_a_report_holds_nothing_of_the_ai(client_of, report, radiologist, case):
    succeeded_run(radiograph=RadiographFactory(case=case))
    heatmap = Heatmap.objects.filter(is_usable=True).first()

    for text in report(radiologist, case, heatmap=str(heatmap.uid)):
        assert "not in this draft" in text
        for told in ("0.700", "Covid", "Grad-CAM", str(ModelVersion.objects.get()), "SHA-256 of its weights"):
            assert told not in text
    printed = client_of(radiologist).get(
        reverse("inference:report-pdf", args=[case.uid]), {"heatmap": str(heatmap.uid)}
    )
    assert number_of_pictures(printed.content) == 1

    save_review(case=case, reader=radiologist, first_impression="normal")

    for text in report(radiologist, case):
        assert "0.700" in text


@pytest.mark.usefixtures("blind_facility")
def test_a_blind_first_read_is_called_blind(report, radiologist, case):
    sign_case(case=case, reader=radiologist, first_impression="normal", final_label="normal")

    for text in report(radiologist, case):
        assert "It was blind" in text


def number_of_pictures(content: bytes) -> int:
    """Different ones: all pages of a file share what they draw from."""
    return len({image.data for page in PdfReader(io.BytesIO(content)).pages for image in page.images})


def test_the_chosen_heatmap_stands_beside_the_image(client_of, report, radiologist, case):
    succeeded_run(radiograph=RadiographFactory(case=case))
    heatmap = Heatmap.objects.get(label="pneumonia")
    address = reverse("inference:report-pdf", args=[case.uid])

    page, printed = report(radiologist, case, heatmap=str(heatmap.uid))

    assert reverse("inference:heatmap", args=[heatmap.uid]) in page
    assert "weighed towards Pneumonia" in page
    assert "weighed towards Pneumonia" in printed
    client = client_of(radiologist)
    assert number_of_pictures(client.get(address, {"heatmap": str(heatmap.uid)}).content) == 2
    assert number_of_pictures(client.get(address).content) == 1


@pytest.mark.parametrize("asked", ["x", "00000000-0000-4000-8000-000000000000"])
def test_a_heatmap_that_is_not_there_is_none(report, radiologist, case, asked):
    succeeded_run(radiograph=RadiographFactory(case=case))

    assert "weighed towards" not in report(radiologist, case, heatmap=asked)[1]


def test_several_members_are_each_named_with_what_they_said(report, radiologist, case):
    versions = [ModelVersionFactory(weights_sha256=digit * 64) for digit in "12"]
    succeeded_run(
        (0.5, 0.4, 0.1),
        members=[(0.8, 0.1, 0.1), (0.2, 0.7, 0.1)],
        doubt=Doubt.DISAGREEMENT,
        radiograph=RadiographFactory(case=case),
        pipeline=PipelineFactory(members=versions),
    )

    for text in report(radiologist, case):
        for words in ("Indeterminate", "The models disagree", "0.800", "0.200", *map(str, versions)):
            assert words in text
        assert "1" * 64 in text.replace(" ", "")
        assert "2" * 64 in text.replace(" ", "")


@pytest.mark.parametrize(
    ("run_of", "words"),
    [
        (refused_run, "The image is a lateral view."),
        (failed_run, "A stored image file is damaged."),
        (lambda radiograph: None, "AI was off"),
    ],
)
def test_a_refusal_a_failure_and_no_ai_are_said_in_words(report, radiologist, case, run_of, words):
    run_of(radiograph=RadiographFactory(case=case))

    for text in report(radiologist, case):
        assert words in text


def test_many_images_are_bounded_and_the_others_counted(report, radiologist, case):
    for _ in range(IMAGES_AT_MOST + 2):
        RadiographFactory(case=case)

    for text in report(radiologist, case):
        assert "2 more images of this case are not shown here" in text


def test_a_case_without_an_image_has_a_report(report, radiologist, case):
    for text in report(radiologist, case):
        assert "No image has been submitted." in text


def test_typed_text_is_never_markup_and_nothing_outside_is_fetched(report, radiologist, case):
    attack = '<img src="file:///etc/passwd"><style>@import "http://169.254.169.254/"</style>'
    Case.objects.filter(pk=case.pk).update(indication=attack)
    sign_case(case=case, reader=radiologist, final_label="other", findings=f"{attack} <script>alert(1)</script>")

    page, printed = report(radiologist, case)

    assert '<img src="file:' not in page
    assert "<script>alert" not in page
    assert attack in printed
    assert "root:" not in printed


@pytest.mark.parametrize(
    "html",
    [
        '<img src="file:///etc/passwd">',
        '<img src="http://127.0.0.1:1/x.png">',
        '<img src="data:image/svg+xml,<svg/>">',
        '<img src="report:another-case">',
        '<link rel="stylesheet" href="file:///etc/hostname">',
        '<p style="background: url(file:///etc/passwd)">x</p>',
    ],
)
def test_the_renderer_refuses_every_address_but_its_own_pictures(html):
    with pytest.raises(pdf.ForbiddenAddress):
        pdf.render_pdf(f'<!doctype html><html lang="en"><title>x</title>{html}</html>', "", {"own": b""})


def test_the_pdf_has_a_language_a_title_alternative_texts_and_no_patient_in_name_or_properties(
    client_of, radiologist, case
):
    RadiographFactory(case=case, view_position="PA")
    response = client_of(radiologist).get(reverse("inference:report-pdf", args=[case.uid]))

    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'attachment; filename="report-{case.uid}-draft.pdf"'
    assert response["Cache-Control"] == "private, no-store"
    reader = PdfReader(io.BytesIO(response.content))
    root = reader.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert reader.metadata.title == f"Chest X-ray report, case {case.uid}"
    assert "Lovelace" not in str(reader.metadata)
    assert b"PA view" in response.content or "PA view" in str(alternative_texts(root["/StructTreeRoot"]))


def alternative_texts(element) -> list[str]:
    """The /Alt entries below a structure element."""
    element = element.get_object()
    if isinstance(element, list):
        return [text for child in element for text in alternative_texts(child)]
    if not isinstance(element, dict):
        return []
    own = [str(element["/Alt"])] if "/Alt" in element else []
    return own + (alternative_texts(element["/K"]) if "/K" in element else [])


def test_looking_at_either_form_leaves_an_audit_row(report, radiologist, case):
    report(radiologist, case)

    rows = AuditEvent.objects.filter(event=Event.VIEWED_REPORT).order_by("id")
    assert [(row.object_uid, row.detail) for row in rows] == [(case.uid, "page"), (case.uid, "PDF")]


def test_a_program_fetches_the_pdf_with_its_token(api_of, submitter, outsider, case):
    address = reverse("api:case-report", args=[case.uid])

    response = api_of(submitter).get(address)

    assert response.status_code == 200
    assert "Lovelace, Ada" in pages(response.content)[0]
    assert api_of(outsider).get(address).status_code == 404


def test_without_its_libraries_the_pdf_is_refused_in_words_and_the_page_still_works(
    client_of, api_of, monkeypatch, radiologist, case
):
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    for name in ("weasyprint", "inference.report.pdf"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    client = client_of(radiologist)

    refused = client.get(reverse("inference:report-pdf", args=[case.uid]))
    told = api_of(radiologist).get(reverse("api:case-report", args=[case.uid]))

    assert refused.status_code == told.status_code == 503
    assert "PDF files cannot be made on this server." in refused.content.decode()
    assert told.json()["code"] == "pdf_unavailable"
    assert client.get(reverse("inference:report", args=[case.uid])).status_code == 200


def test_making_a_pdf_leaves_damaged_images_refused(report, radiologist, case):
    report(radiologist, case)

    assert not ImageFile.LOAD_TRUNCATED_IMAGES
