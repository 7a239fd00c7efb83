"""Images for whoever may see their case; pages and API answer with the same. Looking leaves an audit row."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response

from cases.models import Radiograph
from cases.storage import FileMissing
from portal.audit.models import Event
from portal.audit.services import record
from portal.media import stored_file


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
