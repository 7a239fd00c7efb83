"""The case page's viewer on a 9-megapixel, 12-bit radiograph: until something is seen, and how smoothly it moves.

One web process and one Chromium without a GPU share the cores. As in a reading room, the browser has the portal's own
files from the case before, and each image is a new one.

    scripts/with_services.py .venv/bin/python -m benchmarks.viewer
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.command import set_up, show
from benchmarks.figure import Figure

if TYPE_CHECKING:
    from playwright.sync_api import Page


SIDE = 3000
OPENINGS = 5
FRAMES = 120
GOAL_MILLISECONDS = 300
_FLAGS = ["--no-sandbox", "--disable-gpu"]
_SIZE = {"width": 1440, "height": 900}
# Milliseconds from the start of the navigation until a frame after the preview, or the values, could be drawn.
_WATCH = """addEventListener("DOMContentLoaded", () => {
  const image = document.querySelector("[data-base]");
  if (!image) return;
  const tell = (name) => requestAnimationFrame(() => requestAnimationFrame(() => {
    document.documentElement.dataset[name] = performance.now();
  }));
  image.decode().then(() => tell("preview"));
  const watcher = new MutationObserver(() => {
    if (!image.closest(".has-values")) return;
    watcher.disconnect();
    tell("values");
  });
  watcher.observe(image.closest("[data-pane]"), {attributes: true});
});"""
# A drag in circles with one move a frame; the frames' durations.
_DRAG = """async ([button, frames]) => {
  const stage = document.querySelector("[data-stage]");
  const box = stage.getBoundingClientRect();
  stage.setPointerCapture = () => {};
  const send = (type, x, y) => stage.dispatchEvent(new PointerEvent(type,
    {pointerId: 1, pointerType: "mouse", bubbles: true, button, clientX: box.left + x, clientY: box.top + y}));
  const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
  send("pointerdown", 400, 300);
  const durations = [];
  let last = await frame();
  for (let number = 0; number < frames; number += 1) {
    send("pointermove", 400 + 100 * Math.sin(number / 5), 300 + 100 * Math.cos(number / 7));
    const now = await frame();
    durations.push(now - last);
    last = now;
  }
  send("pointerup", 400, 300);
  return durations;
}"""
_MOVES = {"window_fitted": ("Fit", 2), "window_actual": ("1:1", 2), "pan_actual": ("1:1", 0)}


def figures() -> Iterator[Figure]:
    """Milliseconds to the preview and to the full values, and of a frame in each kind of drag."""
    from django.conf import settings
    from django.test import override_settings
    from playwright.sync_api import sync_playwright

    from benchmarks.database import own_database
    from benchmarks.processes import environment_of, started
    from tests.processes import HOST, free_port

    with tempfile.TemporaryDirectory() as folder, own_database("benchmark_viewer") as address:
        with override_settings(MEDIA_ROOT=folder):
            cases, session = _cases()
        environment = environment_of(address, Path(folder)) | {"WEB_BIND": f"{HOST}:{(port := free_port())}"}
        url = f"http://{HOST}:{port}"
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}
        with started("web", "Booting worker", environment), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
            page = browser.new_page(viewport=_SIZE)
            page.context.add_cookies([cookie])
            page.add_init_script(_WATCH)
            opened = [_opened(page, url + address) for address in cases]
            yield from _until_seen(opened[1:])  # the first one fills the cache and starts the decoder
            yield from _dragged(page)
            browser.close()


def _cases() -> tuple[list[str], str]:
    """Addresses of cases whose images were taken in, and the key of a session that may see them."""
    from django.test import Client

    from benchmarks.processes import benchmark_submitter
    from cases.intake.upload import received
    from cases.services import CaseDetails, PatientDetails, accept_image
    from portal.accounts.access import Role
    from portal.accounts.models import User
    from portal.accounts.notice import accept_notice

    submitter, addresses = benchmark_submitter(), []
    for number in range(OPENINGS + 1):
        with received(io.BytesIO(_dicom(number)), name="large.dcm") as file:
            patient = PatientDetails(f"P-{number}")
            taken = accept_image(received=file, patient=patient, target=CaseDetails(), actor=submitter)
        addresses.append(taken.case.get_absolute_url())
    reader = User.objects.create(username="reader", role=Role.RADIOLOGIST, facility=submitter.facility)
    accept_notice(user=reader)
    client = Client()
    client.force_login(reader, backend="portal.accounts.backends.RoleBackend")
    return addresses, client.session.session_key


def _dicom(number: int) -> bytes:
    """A phantom with the noise of a detector in its lowest bits."""
    from cases.phantoms import phantom_pixels
    from cases.tests.files import dicom

    phantom = Image.fromarray(phantom_pixels(1).astype(np.float32))
    large = np.asarray(phantom.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(number).normal(0, 12, large.shape)
    values = np.clip(300 + 13 * large + noise, 0, 4095).astype("<u2")
    return dicom(values, WindowCenter=2000, WindowWidth=3600, PatientID=f"P-{number}")


def _opened(page: Page, address: str) -> dict[str, float]:
    """Milliseconds until each of "preview" and "values" was seen."""
    page.goto(address)
    page.wait_for_selector("html[data-preview][data-values]", timeout=60_000)
    told = page.locator("html").evaluate("(root) => ({...root.dataset})")
    return {name: float(told[name]) for name in ("preview", "values")}


def _until_seen(opened: list[dict[str, float]]) -> Iterator[Figure]:
    preview = statistics.median(one["preview"] for one in opened)
    said = f"{SIDE} x {SIDE} pixels of 12 bits, from the start of the navigation"
    passed = preview <= GOAL_MILLISECONDS
    yield Figure("viewer_first_pixels", preview, f"<= {GOAL_MILLISECONDS}", len(opened), None, "ms", said, passed)
    values = statistics.median(one["values"] for one in opened)
    yield Figure("viewer_full_depth", values, "", len(opened), None, "ms", said)


def _dragged(page: Page) -> Iterator[Figure]:
    for move, (tool, button) in _MOVES.items():
        page.get_by_role("button", name=tool, exact=True).click()
        durations = page.evaluate(_DRAG, [button, FRAMES])
        slowest = statistics.quantiles(durations, n=20)[-1]
        said = f"median; 19 of 20 within {slowest:.0f} ms; 16.7 is the screen's own pace"
        yield Figure(f"viewer_frame_{move}", statistics.median(durations), "", len(durations), None, "ms", said)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    set_up()
    show(figures())


if __name__ == "__main__":
    main()
