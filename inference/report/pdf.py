"""HTML to PDF by WeasyPrint, which is given everything and may fetch nothing.

Only ``inference.report.documents`` loads this module, and only when a PDF is asked for: loading WeasyPrint takes a
second or more and thirty megabytes, and needs Pango, which not every machine has.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import weasyprint
from PIL import ImageFile
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from portal.errors import DomainError

WAIT_SECONDS = 20
_SCHEME = "report:"
# Loading WeasyPrint lets Pillow accept damaged images in the whole process; what is refused must not depend on it.
ImageFile.LOAD_TRUNCATED_IMAGES = False

_one_at_a_time = threading.Lock()  # a report takes a processor for a second; others of this process wait for their turn


class PdfBusy(DomainError):
    code = "pdf_busy"
    status = 503
    remedy = "Try again in a minute, or print the page."


class ForbiddenAddress(RuntimeError):
    """The document asks for something that is not part of it."""


class _OnlyOwnPictures(URLFetcher):
    """Answers ``report:NAME`` from memory. No network, no files, no data addresses, whatever a document asks for."""

    def __init__(self, pictures: Mapping[str, bytes]):
        super().__init__(allowed_protocols=())
        self.pictures = pictures
        self.refused = 0

    def fetch(self, url: str, headers=None) -> URLFetcherResponse:
        name = url.removeprefix(_SCHEME)
        if not url.startswith(_SCHEME) or name not in self.pictures:
            self.refused += 1
            raise ForbiddenAddress
        return URLFetcherResponse(url, self.pictures[name], {"Content-Type": "image/jpeg"})


def render_pdf(html: str, css: str, pictures: Mapping[str, bytes]) -> bytes:
    """A tagged PDF (PDF/UA-1) of the document.

    Args:
        html: The whole document; pictures are addressed as ``report:NAME``.
        css: Its only style sheet.
        pictures: JPEG files by name.

    Raises:
        ForbiddenAddress: The document asks for anything but these pictures; nothing was fetched.
        PdfBusy: Other reports take too long.
    """
    fetcher = _OnlyOwnPictures(pictures)
    if not _one_at_a_time.acquire(timeout=WAIT_SECONDS):
        raise PdfBusy("Too many reports are being made at the moment.")
    try:
        fonts = FontConfiguration()
        style = weasyprint.CSS(string=css, font_config=fonts, url_fetcher=fetcher)
        document = weasyprint.HTML(string=html, url_fetcher=fetcher)
        pdf = document.write_pdf(stylesheets=[style], font_config=fonts, pdf_variant="pdf/ua-1")
    finally:
        _one_at_a_time.release()
    if fetcher.refused:
        raise ForbiddenAddress("The document asks for something that is not part of it.")
    return pdf
