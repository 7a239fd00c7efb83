"""A radiologist's way through the portal in a real browser."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from django.conf import settings
from django.urls import reverse
from django.utils.crypto import get_random_string
from PIL import Image
from playwright.sync_api import Page, expect

from cases.claims import claim_case, release_case
from cases.models import Case, Review
from cases.phantoms import phantom
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from inference.models import ModelVersion
from inference.services import record_prediction
from inference.tests.factories import PipelineFactory, RunFactory, claimed, judgement
from tests.browser.conftest import LARGE, SMALL

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def open_case(page: Page, case: Case) -> None:
    page.get_by_role("link", name=case.patient.display_name).click()
    expect(page.get_by_role("heading", name=case.patient.display_name)).to_be_visible()
    page.wait_for_load_state("domcontentloaded")  # keys and tools are there


def scroll_width(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


WITHHELD = "The AI reading appears after your first impression."
DROP_BESIDE = """(kind) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["an image"], "one.png"));
  const dropped = new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true});
  return document.querySelector("footer").dispatchEvent(dropped) ? "opened" : "prevented";
}"""


def test_a_case_is_read_blind_then_seen_with_its_heatmap_signed_and_leaves_the_queue(
    sign_in, radiologist, blind_facility, case
):
    page = sign_in(radiologist)
    expect(page.locator("#worklist-rows").get_by_text("After your first impression")).to_be_visible()
    open_case(page, case)
    expect(page.get_by_text(WITHHELD)).to_be_visible()
    expect(page.get_by_role("button", name="Heatmap")).to_have_count(0)

    page.get_by_role("button", name="Start reading").click()
    page.get_by_role("button", name="Zoom in").click()
    zoom = page.get_by_label("Zoom", exact=True).inner_text()
    findings = page.get_by_label("Findings")
    findings.press_sequentially("12 mm nodule, ")
    expect(page.get_by_text(WITHHELD)).to_be_visible()  # a digit that is typed commits nothing
    page.get_by_role("group", name="Final label").get_by_label("Pneumonia").check()
    page.get_by_role("group", name="First impression").get_by_role("button", name="Covid").click()

    expect(page.locator("#first-impression")).to_be_focused()  # what was clicked is gone
    expect(page.get_by_text("kept as given")).to_be_visible()
    expect(page.get_by_text("0.700")).to_be_visible()
    expect(page.get_by_text(WITHHELD)).to_have_count(0)
    expect(findings).to_have_value("12 mm nodule, ")
    expect(page.get_by_role("group", name="Final label").get_by_label("Pneumonia")).to_be_checked()
    assert page.get_by_label("Zoom", exact=True).inner_text() == zoom
    overlay = page.locator("[data-overlay]")
    expect(overlay).to_be_hidden()
    page.get_by_role("button", name="Heatmap").click()
    expect(overlay).to_be_visible()
    expect(overlay).to_have_attribute(
        "alt", f"Heatmap (Grad-CAM): what {ModelVersion.objects.get()} weighed towards Covid. Research use only."
    )

    findings.press_sequentially("consolidation in the right lower zone.")
    page.get_by_role("button", name="Sign …").click()
    question = page.get_by_role("dialog", name="Sign this case as Pneumonia?")
    question.get_by_role("button", name="Sign").click()

    expect(page.get_by_text(f"Signed by {radiologist}")).to_be_visible()
    page.get_by_role("link", name="Back to the worklist").click()
    expect(page.get_by_text("The queue is empty")).to_be_visible()
    review = Review.objects.get()
    assert (review.first_impression, review.final_label, review.was_blind) == ("covid", "pneumonia", True)
    assert review.findings == "12 mm nodule, consolidation in the right lower zone."


def test_one_key_on_an_open_case_takes_it_and_brings_the_reading(sign_in, radiologist, blind_facility, case):
    page = sign_in(radiologist)
    open_case(page, case)
    expect(page.get_by_role("button", name="Normal")).to_be_visible()

    page.keyboard.press("2")

    expect(page.get_by_text("kept as given")).to_be_visible()
    expect(page.get_by_text("0.700")).to_be_visible()
    page.keyboard.press("h")
    expect(page.locator("[data-overlay]")).to_be_visible()
    assert Review.objects.get().first_impression == "normal"


def test_a_first_impression_that_is_refused_says_why_and_keeps_what_was_typed(
    sign_in, radiologist, colleague, blind_facility, case, complaints
):
    page = sign_in(radiologist)
    open_case(page, case)
    page.get_by_role("button", name="Start reading").click()
    page.get_by_label("Findings").fill("Mine")
    release_case(case=case, actor=radiologist)
    claim_case(case=case, reader=colleague)

    page.get_by_role("button", name="Covid").click()

    expect(page.get_by_role("alert")).to_contain_text(f"{colleague} is reading this case.")
    expect(page.get_by_label("Findings")).to_have_value("Mine")
    expect(page.get_by_text(WITHHELD)).to_be_visible()
    expect(page.get_by_text("Not saved:")).to_be_visible()
    assert all("409" in complaint for complaint in complaints)
    complaints.clear()


def test_the_heatmap_lies_exactly_over_the_image_at_every_zoom(sign_in, radiologist, case):
    page = sign_in(radiologist)
    open_case(page, case)
    page.get_by_role("button", name="Heatmap").click()
    image, overlay = page.locator("[data-base]"), page.locator("[data-overlay]")
    radiograph = case.radiographs.get()

    for tool in ("Fit", "Zoom in", "1:1"):
        page.get_by_role("button", name=tool, exact=True).click()
        box = image.bounding_box()
        assert overlay.bounding_box() == box
        assert box["width"] / box["height"] == pytest.approx(radiograph.columns / radiograph.rows, rel=1e-3)


def test_class_and_opacity_of_the_heatmap_can_be_chosen_and_a_missing_map_is_told(sign_in, radiologist, case):
    page = sign_in(radiologist)
    open_case(page, case)
    overlay = page.locator("[data-overlay]")

    page.get_by_label("Heatmap of").select_option("Pneumonia")
    expect(overlay).to_have_attribute(
        "alt", f"Heatmap (Grad-CAM): what {ModelVersion.objects.get()} weighed towards Pneumonia. Research use only."
    )
    page.get_by_label("Opacity").fill("30")
    expect(overlay).to_have_css("opacity", "0.3")
    page.get_by_label("Heatmap of").select_option("Normal (no usable map)")
    expect(overlay).to_be_hidden()
    expect(page.get_by_text("No usable map for this class.")).to_be_visible()


def test_a_report_opened_beside_a_heatmap_shows_that_map(sign_in, radiologist, case):
    page = sign_in(radiologist)
    open_case(page, case)
    report, plain = page.get_by_role("link", name="Report"), re.compile(r"/report/$")
    expect(report).to_have_attribute("href", plain)

    page.get_by_label("Heatmap of").select_option("Pneumonia")
    page.get_by_role("button", name="Heatmap").click()
    expect(report).to_have_attribute("href", plain)
    page.get_by_role("button", name="Heatmap").click()
    report.click()

    expect(page.get_by_label("Heatmap").locator("option:checked")).to_contain_text("Pneumonia")


def test_inverting_turns_black_to_white_and_back(sign_in, radiologist, case):
    page = sign_in(radiologist)
    open_case(page, case)
    image = page.locator("[data-base]")

    def brightness() -> float:
        return float(np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("L")).mean())

    before = brightness()
    page.keyboard.press("i")
    assert brightness() == pytest.approx(255 - before, abs=6)  # the label in the corner is not inverted
    page.keyboard.press("r")
    assert brightness() == pytest.approx(before, abs=1)


def test_results_appear_by_themselves_and_the_page_stops_asking(sign_in, radiologist, facility, submitter):
    patient = PatientFactory(facility=facility, family_name="Noether")
    radiograph = RadiographFactory(case=CaseFactory(patient=patient, submitted_by=submitter, ai_status="queued"))
    run = RunFactory(radiograph=radiograph, pipeline=PipelineFactory())
    page = sign_in(radiologist)
    open_case(page, radiograph.case)
    expect(page.get_by_text("Waiting for the AI")).to_be_visible()
    said = page.locator("#ai-results p").first.element_handle()
    with page.expect_request_finished(lambda request: request.url.endswith("/results/")):
        pass
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert said.evaluate("(node) => node.isConnected"), "an answer with nothing new would be read out again"
    expect(page.get_by_text("Heatmap follows")).to_be_visible()

    run = claimed(run)
    record_prediction(run, judgement(run))

    expect(page.get_by_text("0.700")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("button", name="Heatmap")).to_be_visible()
    assert page.locator("#ai-results").get_attribute("hx-get") is None
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3500)
    assert not [url for url in asked if "results" in url]


def test_the_list_updates_itself_without_losing_the_focus(sign_in, radiologist, facility, submitter):
    patient = PatientFactory(facility=facility, family_name="Noether")
    case = CaseFactory(patient=patient, submitted_by=submitter, ai_status="running")
    page = sign_in(radiologist)
    link = page.get_by_role("link", name=patient.display_name)
    link.focus()
    expect(page.get_by_text("AI is reading")).to_be_visible()

    Case.objects.filter(pk=case.pk).update(ai_status="ready", ai_label="covid", ai_probability=0.8)

    expect(page.get_by_text("0.80")).to_be_visible(timeout=15_000)
    expect(link).to_be_focused()


def test_filters_change_the_list_and_the_address(sign_in, radiologist, case):
    page = sign_in(radiologist)

    page.get_by_label("AI label").select_option("Normal")
    expect(page.get_by_text("No case fits these filters")).to_be_visible()
    assert page.url.endswith("/worklist/?label=normal")
    page.reload()
    expect(page.get_by_label("AI label")).to_have_value("normal")
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("link", name=case.patient.display_name)).to_be_visible()


def test_files_are_uploaded_one_by_one_each_with_its_answer(sign_in, submitter, complaints):
    page = sign_in(submitter)
    page.get_by_role("link", name="Upload", exact=True).click()
    files = [("letter.png", b"Dear colleague"), ("one.png", phantom(seed=1)), ("two.png", phantom(seed=2))]
    page.get_by_label("Drop images here, or choose them").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in files]
    )
    page.get_by_label("Record number").fill("MRN-1")
    page.get_by_role("button", name="Upload", exact=True).click()

    expect(page.get_by_text("The file is text, not a chest X-ray.")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Taken in.")).to_have_count(2, timeout=30_000)
    assert "415" in complaints.pop()
    assert Case.objects.get().radiographs.count() == 2
    expect(page.get_by_label("Record number")).to_be_disabled()  # what follows is the same patient's
    expect(page.get_by_role("button", name="Add to this case")).to_be_enabled()
    page.get_by_role("link", name="Upload for another patient").click()
    expect(page.get_by_label("Record number")).to_be_enabled()
    expect(page.get_by_label("Record number")).to_have_value("")


def test_files_that_are_not_sent_yet_are_not_lost_by_a_slip(sign_in, submitter):
    page = sign_in(submitter)
    page.get_by_role("link", name="Upload", exact=True).click()
    page.get_by_label("Drop images here, or choose them").set_input_files(
        {"name": "one.png", "mimeType": "image/png", "buffer": b"an image"}
    )
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))

    assert [page.evaluate(DROP_BESIDE, kind) for kind in ("dragover", "drop")] == ["prevented", "prevented"]
    page.get_by_role("link", name="Worklist").click()

    expect(page.get_by_text("one.png")).to_be_visible()
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Remove one.png").click()
    page.get_by_role("link", name="Worklist").click()
    expect(page.get_by_role("heading", name="Worklist")).to_be_visible()
    assert len(asked) == 1


def test_a_click_in_a_page_of_a_session_that_was_renewed_says_that_it_did_nothing(
    sign_in, live_server, radiologist, case, complaints
):
    page = sign_in(radiologist)
    open_case(page, case)
    page.get_by_role("button", name="Start reading").click()
    impression = page.get_by_role("group", name="First impression")
    expect(impression).to_be_visible()
    renewed = {"name": settings.CSRF_COOKIE_NAME, "value": get_random_string(32), "url": live_server.url}
    page.context.add_cookies([renewed])

    page.get_by_label("Findings").fill("Patchy opacities.")
    impression.get_by_role("button", name="Covid").click()

    expect(page.get_by_text("Not done. Reload this page; what you typed is kept.")).to_be_visible()
    expect(impression.get_by_role("button", name="Covid")).to_be_visible()
    expect(page.locator("#draft-state")).to_contain_text("Not saved")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_label("Findings")).to_have_value("Patchy opacities.")
    expect(page.locator("#draft-state")).to_have_attribute("data-state", "saved")
    assert all("403" in complaint for complaint in complaints)
    complaints.clear()


def test_the_theme_is_kept(sign_in, radiologist):
    page = sign_in(radiologist)
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "dark")

    page.get_by_role("button", name="Switch between dark and light").click()
    page.reload()

    expect(root).to_have_attribute("data-bs-theme", "light")


def test_the_first_tab_stop_leads_to_the_content(sign_in, radiologist):
    page = sign_in(radiologist)
    page.reload()

    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()


@pytest.mark.parametrize("viewport", [SMALL, LARGE], ids=["small", "large"])
def test_no_page_is_wider_than_the_screen(sign_in, live_server, radiologist, case, viewport):
    page = sign_in(radiologist)
    page.set_viewport_size(viewport)
    version = ModelVersion.objects.get()
    addresses = [
        *(
            reverse(name)
            for name in ("cases:worklist", "cases:upload", "tokens", "password_change", "inference:model-list")
        ),
        reverse("inference:model", args=[version.uid]),
        case.get_absolute_url(),
    ]

    for address in addresses:
        page.goto(live_server.url + address)
        expect(page.get_by_text("Research use only").last).to_be_visible()
        assert scroll_width(page) <= viewport["width"], address
