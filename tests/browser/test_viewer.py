"""The viewer in a real browser: every pixel as computed from the values in the file, whatever is turned or dragged."""

from __future__ import annotations

import io
import re
from base64 import b64decode

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image
from playwright.sync_api import Page, expect

from cases.intake.upload import received
from cases.models import Case, Radiograph
from cases.phantoms import phantom
from cases.services import CaseDetails, PatientDetails, accept_image
from cases.tests.factories import CaseFactory, RadiographFactory
from cases.tests.files import dicom, png
from inference.tests.factories import succeeded_run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROWS, COLUMNS = 400, 360
PHONE = {"width": 390, "height": 844}
# 12 bits with noise in the lowest ones, another grey in every corner
STORED = (
    np.add.outer(np.arange(ROWS) * 6, np.arange(COLUMNS) * 4)
    + np.random.default_rng(3).integers(0, 32, (ROWS, COLUMNS))
).astype("<u2")
SPACING = 0.5
# As text: Playwright takes seconds for a list of a million numbers.
CANVAS = """async canvas => {
  const {width, height} = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  copy.drawImage(canvas, 0, 0);
  const {data} = copy.getImageData(0, 0, width, height);
  const greys = Uint8Array.from({length: width * height}, (_, index) => data[4 * index]);
  const url = await new Promise((read) => {
    const reader = new FileReader();
    reader.onload = () => read(reader.result);
    reader.readAsDataURL(new Blob([greys]));
  });
  return {width, height, greys: url.split(",")[1]};
}"""


def take_in(submitter, content: bytes, *, number: str = "P-1", **details) -> Radiograph:
    """Through intake, as an upload is."""
    with received(io.BytesIO(content), name="image") as file:
        return accept_image(
            received=file, patient=PatientDetails(number), target=CaseDetails(**details), actor=submitter
        ).radiograph


@pytest.fixture
def deep(facility, submitter) -> Radiograph:
    header = {"WindowCenter": 1500, "WindowWidth": 1800, "PixelSpacing": [SPACING, SPACING], "ViewPosition": "PA"}
    return take_in(submitter, dicom(STORED, PatientOrientation=["L", "F"], **header))


def open_case(page: Page, live_server, case: Case, depth: str = "12 bit") -> None:
    page.goto(live_server.url + case.get_absolute_url())
    expect(page.locator("[data-depth]")).to_have_text(depth, timeout=30_000)


def shown(page: Page, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """The image's pixels on the canvas at actual size, once they have been drawn."""
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    canvas = page.locator("[data-canvas]").evaluate(CANVAS)
    greys = np.frombuffer(b64decode(canvas["greys"]), np.uint8).reshape(canvas["height"], canvas["width"])
    image, stage = (page.locator(f"[data-{name}]").bounding_box() for name in ("base", "stage"))
    left, top = round(image["x"] - stage["x"]), round(image["y"] - stage["y"])
    return greys[top : top + rows, left : left + columns]


def window(page: Page) -> tuple[float, float]:
    """(centre, width) as told on the stage."""
    centre, width = re.findall(r"-?[\d.]+", page.locator("[data-window]").first.inner_text())
    return float(centre), float(width)


def windowed(centre: float, width: float, values: np.ndarray = STORED) -> np.ndarray:
    """DICOM PS3.3 C.11.2.1.2.1."""
    shares = (values.astype(np.float64) - (centre - 0.5)) / (width - 1) + 0.5
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)


def drag(page: Page, by: tuple[float, float], button: str = "left", start: tuple[float, float] = (-100, 50)) -> None:
    """From a point given from the middle of the stage."""
    box = page.locator("[data-stage]").first.bounding_box()
    x, y = box["x"] + box["width"] / 2 + start[0], box["y"] + box["height"] / 2 + start[1]
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + by[0] / 2, y + by[1] / 2)
    page.mouse.move(x + by[0], y + by[1])
    page.mouse.up(button=button)


def test_every_pixel_follows_the_window(sign_in, live_server, radiologist, deep):
    page = sign_in(radiologist)
    open_case(page, live_server, deep.case)
    page.get_by_role("button", name="1:1").click()
    expect(page.get_by_label("Zoom", exact=True)).to_have_text("100 %")

    assert window(page) == (1500, 1800)
    assert (shown(page) == windowed(1500, 1800)).all()

    drag(page, (90, -40), button="right")
    wider = window(page)
    assert wider[0] < 1500, "upwards is brighter"
    assert wider[1] > 1800, "to the right is wider"
    assert (shown(page) == windowed(*wider)).all()

    page.keyboard.press("w")
    drag(page, (-60, 30))
    assert window(page)[1] < wider[1]
    assert (shown(page) == windowed(*window(page))).all()

    page.get_by_label("Window preset").select_option("Full range")
    lowest, highest = int(STORED.min()), int(STORED.max())
    assert window(page) == pytest.approx(((lowest + highest + 1) / 2, highest - lowest + 1), abs=0.5)
    assert (shown(page) == windowed(*window(page))).all()

    page.get_by_label("Window preset").select_option("Default")
    assert (shown(page) == windowed(1500, 1800)).all()


def test_inverting_turning_and_flipping_move_every_pixel_and_the_side_of_the_patient(
    sign_in, live_server, radiologist, deep
):
    page = sign_in(radiologist)
    open_case(page, live_server, deep.case)
    page.get_by_role("button", name="1:1").click()
    upright = windowed(1500, 1800)
    flags, sides = page.locator("[data-flags]"), [page.locator(f"[data-edge={side}]") for side in ("left", "right")]
    assert [side.inner_text() for side in sides] == ["R", "L"]
    expect(page.locator("[data-sides]")).to_be_empty()

    page.keyboard.press("i")
    assert (shown(page) == 255 - upright).all()
    page.keyboard.press("i")
    page.keyboard.press("x")
    assert (shown(page) == np.fliplr(upright)).all()
    expect(flags).to_have_text("Flipped")
    assert [side.inner_text() for side in sides] == ["L", "R"]
    page.keyboard.press("t")
    assert (shown(page, COLUMNS, ROWS) == np.rot90(np.fliplr(upright), -1)).all()
    expect(flags).to_have_text("Flipped · Rotated 90°")
    expect(page.locator("[data-edge=top]")).to_have_text("L")
    page.keyboard.press("x")  # as it is seen, whatever it was turned by
    assert (shown(page, COLUMNS, ROWS) == np.fliplr(np.rot90(np.fliplr(upright), -1))).all()

    page.keyboard.press("r")
    page.get_by_role("button", name="1:1").click()
    assert (shown(page) == upright).all()
    expect(flags).to_have_text("")


def test_the_picture_of_the_values_is_the_preview_that_it_replaces(sign_in, live_server, radiologist, submitter):
    """A sigmoid window, MONOCHROME1 and padding, which no simple window can copy."""
    pixels = STORED.copy()
    pixels[:30] = 4095
    radiograph = take_in(
        submitter,
        dicom(
            pixels,
            PhotometricInterpretation="MONOCHROME1",
            WindowCenter=1500,
            WindowWidth=1800,
            VOILUTFunction="SIGMOID",
            PixelPaddingValue=4095,
        ),
    )
    with radiograph.preview.open() as file:
        preview = np.asarray(Image.open(file))
    page = sign_in(radiologist)
    open_case(page, live_server, radiograph.case)
    page.get_by_role("button", name="1:1").click()

    assert (shown(page) == preview).all()


def test_an_eight_bit_image_needs_no_other_file_than_its_preview(sign_in, live_server, radiologist, submitter):
    greys = (STORED >> 4).astype(np.uint8)
    radiograph = take_in(submitter, png(greys))
    page = sign_in(radiologist)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_case(page, live_server, radiograph.case, "8 bit")
    page.get_by_role("button", name="1:1").click()

    assert (shown(page) == greys).all()
    drag(page, (30, 30), button="right")
    assert (shown(page) == windowed(*window(page), greys)).all()
    assert not [url for url in asked if "/pixels/" in url]
    expect(page.locator("[data-edge=left]")).to_have_text("(R)")  # nobody says so: assumed
    expect(page.get_by_text("sides assumed")).to_be_visible()


def test_the_value_under_the_pointer_is_the_one_in_the_file(sign_in, live_server, radiologist, deep):
    page = sign_in(radiologist)
    open_case(page, live_server, deep.case)
    page.get_by_role("button", name="1:1").click()
    box = page.locator("[data-base]").bounding_box()

    page.mouse.move(box["x"] + 123.5, box["y"] + 45.5)

    expect(page.locator("[data-readout]")).to_have_text(f"x 123  y 45  value {STORED[45, 123]}")


@pytest.mark.parametrize(("spacing", "told"), [([0.5, 0.5], "50.0 mm"), (None, "100 px (spacing unknown)")])
def test_a_length_is_told_in_millimetres_only_where_they_are_known(
    sign_in, live_server, radiologist, submitter, spacing, told
):
    radiograph = take_in(submitter, dicom(STORED, **({"PixelSpacing": spacing} if spacing else {})))
    page = sign_in(radiologist)
    open_case(page, live_server, radiograph.case)
    page.get_by_role("button", name="1:1").click()
    length = page.locator(".length-text")

    page.keyboard.press("l")
    drag(page, (60, 80))
    expect(length).to_have_text(told)
    page.keyboard.press("x")
    page.get_by_role("button", name="Zoom in").click()
    expect(length).to_have_text(told)

    page.locator("[data-stage]").press("Delete")
    expect(length).to_have_count(0)


def test_a_length_is_measured_by_keys_alone(sign_in, live_server, radiologist, submitter):
    radiograph = take_in(submitter, dicom(STORED, PixelSpacing=[0.5, 0.5]))
    page = sign_in(radiologist)
    open_case(page, live_server, radiograph.case)
    page.get_by_role("button", name="1:1").click()
    stage, length = page.locator("[data-stage]"), page.locator(".length-text")
    page.keyboard.press("l")
    stage.focus()

    for key in ["Enter", *["ArrowRight"] * 5, " ", *["ArrowLeft"] * 5, *["ArrowUp"] * 3]:  # 40 across, 12 up
        page.keyboard.press(key)
    expect(length).to_have_text("20.9 mm")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    expect(length).to_have_text("20.9 mm")

    for key in ("Enter", "ArrowUp", "Delete", "ArrowUp", "Delete"):
        page.keyboard.press(key)
    expect(length).to_have_count(0)


def test_the_magnifier_shows_the_place_under_the_pointer_larger(sign_in, live_server, radiologist, deep):
    page = sign_in(radiologist)
    open_case(page, live_server, deep.case)
    page.keyboard.press("m")
    lens = page.locator("[data-lens]")
    expect(lens).to_be_hidden()
    box = page.locator("[data-stage]").bounding_box()

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    expect(lens).to_be_visible()
    page.keyboard.press("p")
    expect(lens).to_be_hidden()


def test_a_heatmap_is_off_at_first_and_comes_as_colour_or_outline_with_a_word_of_doubt(
    sign_in, live_server, radiologist, deep
):
    """All of the stored map lies in a corner."""
    succeeded_run(radiograph=deep)
    page = sign_in(radiologist)
    open_case(page, live_server, deep.case)
    overlay, outline, note = (page.locator(f"[data-{name}]") for name in ("overlay", "outline", "heatmap-note"))
    legend = page.get_by_role("img", name="Colour scale of the heatmap")
    expect(overlay).to_be_hidden()
    expect(legend).to_be_hidden()

    page.keyboard.press("h")
    expect(overlay).to_have_css("opacity", "0.55")
    expect(legend).to_be_visible()
    expect(note).to_have_text(re.compile("Doubtful map: 100 % outside the lungs, 100 % at the border"))
    warned, shows, stage = (one.bounding_box() for one in (note, legend, page.locator("[data-stage]")))
    assert warned["y"] > stage["y"] + stage["height"] / 2, "the side marker is at the top"
    assert warned["y"] + warned["height"] <= shows["y"]
    page.keyboard.press("]")
    expect(overlay).to_have_css("opacity", "0.65")
    page.keyboard.press("o")
    expect(overlay).to_have_css("opacity", "0")
    expect(outline).to_have_css("visibility", "visible")
    expect(legend).to_be_hidden()
    expect(page.get_by_text("at least half as strong as can be")).to_be_visible()
    assert outline.locator("path").last.get_attribute("d").startswith("M")

    page.keyboard.press("h")
    expect(overlay).to_be_hidden()
    expect(outline).to_have_css("visibility", "hidden")
    expect(note).to_have_text("")


def test_keys_mean_tools_after_a_choice_by_mouse_and_go_on_choosing_by_keyboard(
    sign_in, live_server, radiologist, deep
):
    succeeded_run(radiograph=deep)
    page = sign_in(radiologist)
    open_case(page, live_server, deep.case)

    for select in (page.get_by_label("Window preset"), page.get_by_label("Heatmap of")):
        select.click()
        select.dispatch_event("change")
        expect(select).not_to_be_focused()
        page.keyboard.press("Escape")

    page.get_by_role("button", name="1:1").focus()
    page.keyboard.press("Tab")
    presets = page.get_by_label("Window preset")
    before = window(page)
    for _ in range(2):
        expect(presets).to_be_focused()
        page.keyboard.press("ArrowDown")
    assert window(page) != before


def test_a_comparison_stands_beside_the_current_image_and_its_window_follows(
    sign_in, live_server, radiologist, submitter, deep
):
    taken = {"AcquisitionDate": "20250304", "AcquisitionTime": "101500"}
    take_in(submitter, dicom(STORED // 2, WindowCenter=750, WindowWidth=900, ViewPosition="AP", **taken))
    page = sign_in(radiologist)
    open_case(page, live_server, deep.case)

    page.get_by_role("button", name="Beside").click()
    panes = page.locator("[data-pane]")
    expect(panes).to_have_count(2)
    expect(page.get_by_text("Comparison, 4 Mar 2025", exact=True)).to_be_visible()
    expect(page.get_by_text("4 Mar 2025, 10:15 · AP")).to_be_visible()
    expect(page.get_by_role("link", name="4 Mar 2025")).to_be_visible()
    expect(page.locator("[data-depth]").last).to_have_text("12 bit", timeout=30_000)
    drag(page, (40, 0), button="right", start=(0, 0))

    centre, width = window(page)
    expect(page.locator("[data-window]").last).to_have_text(f"C {centre / 2:.0f} W {width / 2:.0f}")
    assert width > 1800
    page.get_by_role("button", name="Close comparison").click()
    expect(panes).to_have_count(1)
    page.keyboard.press("i")
    expect(page.locator("[data-flags]")).to_have_text("Inverted")


def test_two_fingers_zoom_on_a_phone_and_the_tools_fit_the_screen(sign_in, live_server, radiologist, deep):
    page = sign_in(radiologist)
    page.set_viewport_size(PHONE)
    open_case(page, live_server, deep.case)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator("[data-stage]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x + dx, "y": y + dy, "id": number} for number, (dx, dy) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    def zoom() -> int:
        return int(page.get_by_label("Zoom", exact=True).inner_text().removesuffix(" %"))

    fitted = zoom()
    touch("touchStart", (-30, 0), (30, 0))
    for spread in (40, 60, 80):
        touch("touchMove", (-spread, 0), (spread, 0))
    touch("touchEnd")
    assert zoom() > 1.5 * fitted

    before = window(page)
    touch("touchStart", (-30, 0), (30, 0))
    for shift in (10, 30, 50):
        touch("touchMove", (shift - 30, 0), (shift + 30, 0))
    touch("touchEnd")
    assert window(page)[1] > before[1]


def test_without_the_values_the_preview_stays_and_says_so(sign_in, live_server, radiologist, deep):
    default_storage.delete(deep.original.name)
    page = sign_in(radiologist)
    page.goto(live_server.url + deep.case.get_absolute_url())

    expect(page.get_by_text("Only the preview with 256 greys is shown")).to_be_visible()
    expect(page.locator("[data-base]")).to_have_css("opacity", "1")
    page.keyboard.press("i")
    expect(page.locator("[data-base]")).to_have_css("filter", "invert(1)")


def test_a_reader_who_reads_blind_has_every_tool_but_the_heatmap(
    sign_in, live_server, radiologist, submitter, blind_facility
):
    radiograph = RadiographFactory(
        case=CaseFactory(patient__facility=blind_facility, submitted_by=submitter), content=phantom(1)
    )
    succeeded_run(radiograph=radiograph)
    page = sign_in(radiologist)
    open_case(page, live_server, radiograph.case, "8 bit")

    page.keyboard.press("h")

    expect(page.locator("[data-overlay]")).to_be_hidden()
    expect(page.get_by_text("Heatmap after your first impression")).to_be_visible()
    expect(page.get_by_role("button", name="Heatmap")).to_have_count(0)
