"""Images for whoever may see their case; pages and API answer with the same. Looking leaves an audit row."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response

from cases.intake.errors import IntakeError
from cases.intake.sandbox import values_safely
from cases.intake.sandbox_protocol import VALUES_FORMAT
from cases.intake.spool import unnamed_file
from cases.models import Radiograph
from cases.storage import FileMissing, image_storage, open_verified
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError
from portal.media import private, stored_file

logger = logging.getLogger(__name__)


class ValuesUnavailable(DomainError):
    code = "pixel_values_unavailable"
    status = 503
    remedy = "Read from the preview with its 256 greys, or try again in a minute."


def preview_response(request, uid):
    """The 8-bit grey PNG that reader and AI see; 404 for what the user may not see."""
    radiograph = _looked_at(request, uid, "preview")
    return file_response(request, name=str(radiograph.preview), media_type="image/png", etag=radiograph.preview_sha256)


def original_response(request, uid):
    """The bytes as they were sent, as a download; 404 for what the user may not see."""
    radiograph = _looked_at(request, uid, "original")
    return file_response(
        request,
        name=str(radiograph.original),
        media_type=radiograph.media_type,
        etag=radiograph.sha256,
        download_name=radiograph.original_name,
    )


def values_response(request, uid):
    """The pixel values at full depth, for a viewer that windows them itself; 404 for what the user may not see.

    Made from the original at each asking: the second file per image that a storage would have to keep, copy and
    check is three times as long as the preview, and decoding takes less time than sending it over most lines.
    The format is that of ``cases.intake.values``.

    Raises:
        ValuesUnavailable: The original cannot be decoded at the moment, although it could when it was taken in.
        FileMissing, FileDamaged: The original is not what it was.
    """
    radiograph = _looked_at(request, uid, "pixel values")
    etag = f"{radiograph.sha256}-{VALUES_FORMAT}"
    if unchanged := get_conditional_response(request, etag=f'"{etag}"'):
        return unchanged
    response = HttpResponse(_values(radiograph), content_type="application/octet-stream")
    response["Content-Encoding"] = "gzip"  # whatever the browser accepts: every one that runs the viewer does
    return private(response, etag=etag)


def _values(radiograph: Radiograph) -> bytes:
    with (
        open_verified(image_storage(), str(radiograph.original), radiograph.sha256) as original,
        unnamed_file() as copy,  # the sandbox opens a path, which a file in a bucket has not
    ):
        shutil.copyfileobj(original, copy)
        try:
            return values_safely(Path(f"/proc/self/fd/{copy.fileno()}"))
        except IntakeError as error:
            logger.warning("pixel values of %s: %s", radiograph, error.code)
            raise ValuesUnavailable("The pixel values of this image cannot be read at the moment.") from error


def _looked_at(request, uid, kind: str) -> Radiograph:
    visible = Radiograph.objects.visible_to(request.user).select_related("case__facility")
    radiograph = get_object_or_404(visible, uid=uid)
    record(Event.VIEWED_IMAGE, actor=request.user, obj=radiograph, request=request, detail=kind)
    return radiograph


def file_response(request, *, etag: str, **file: str):
    """A stored file, or 304 where the browser has it already.

    Raises:
        FileMissing: The database knows the file, the storage does not.
    """
    if unchanged := get_conditional_response(request, etag=f'"{etag}"'):
        return unchanged
    try:
        return stored_file(etag=etag, **file)
    except FileNotFoundError as error:
        raise FileMissing("A stored image file is missing.") from error
