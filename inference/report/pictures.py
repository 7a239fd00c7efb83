"""The pictures of a printed report: small enough to send, and made from stored files whose hash has been compared."""

from __future__ import annotations

import io

from PIL import Image

from cases.storage import read_verified
from inference.heatmaps import picture_of
from inference.models import Heatmap
from inference.report.content import ImageReport, Report

LONGEST_SIDE = 1400
"""Pixels: about 250 a inch on half a page. Who has to see more looks at the image itself."""

OPACITY = 0.55
"""Of a heatmap, as on the page (static/portal/report.css) and as the viewer starts with."""

_JPEG_QUALITY = 88


def pictures_of(report: Report) -> dict[str, bytes]:
    """JPEG pictures by the names under which the template asks for them.

    Raises:
        FileMissing, FileDamaged: See ``read_verified``.
    """
    found = {}
    for image in report.images:
        found[f"radiograph-{image.number}"], overlaid = _drawn(image)
        if overlaid:
            found[f"heatmap-{image.number}"] = overlaid
    return found


def _drawn(image: ImageReport) -> tuple[bytes, bytes | None]:
    """The radiograph, and the same under its heatmap if one was chosen."""
    radiograph = image.radiograph
    with Image.open(io.BytesIO(read_verified(str(radiograph.preview), radiograph.preview_sha256))) as preview:
        preview.thumbnail((LONGEST_SIDE, LONGEST_SIDE), reducing_gap=2.0)
        base = preview.convert("L")
    if image.heatmap is None:
        return _jpeg(base), None
    with Image.open(io.BytesIO(picture_of(Heatmap.objects.get(uid=image.heatmap.uid)))) as stored:
        overlay = stored.convert("RGBA").resize(base.size, Image.Resampling.BILINEAR)
    overlay.putalpha(overlay.getchannel("A").point(lambda alpha: round(alpha * OPACITY)))
    return _jpeg(base), _jpeg(Image.alpha_composite(base.convert("RGBA"), overlay).convert("RGB"))


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
