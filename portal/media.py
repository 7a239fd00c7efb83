"""The only way out for stored files: after the view has checked who asks."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse, HttpResponseBase, HttpResponseRedirect

INTERNAL_LOCATION = "/protected/"  # nginx serves it to nobody but X-Accel-Redirect, see docker/
SIGNED_URL_SECONDS = 300


def stored_file(name: str, *, media_type: str, etag: str, download_name: str = "") -> HttpResponseBase:
    """A response with a stored file; the caller has checked the permission.

    Args:
        name: Name in the default storage.
        media_type: Content-Type to answer with.
        etag: SHA-256 of the content; names never change their content, so browsers may keep it privately.
        download_name: Makes it a download under this name.

    Raises:
        FileNotFoundError: The file is gone from storage.
    """
    disposition = f"attachment; filename*=UTF-8''{quote(download_name)}" if download_name else ""
    if settings.MEDIA_SERVING == "signed-url":
        return _sent_to_the_bucket(name, media_type, disposition)
    if settings.MEDIA_SERVING == "x-accel":
        response: HttpResponseBase = HttpResponse()
        response["X-Accel-Redirect"] = INTERNAL_LOCATION + quote(name)
    else:
        response = FileResponse(default_storage.open(name))
    response["Content-Type"] = media_type
    if disposition:
        response["Content-Disposition"] = disposition
    return private(response, etag=etag)


def private(response: HttpResponseBase, *, etag: str) -> HttpResponseBase:
    """For the browser of this user alone, which asks again on every use.

    So a right that was taken away takes effect; unchanged content is not sent again.
    """
    response["ETag"] = f'"{etag}"'
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _sent_to_the_bucket(name: str, media_type: str, disposition: str) -> HttpResponseRedirect:
    """To the file in the bucket, by an address that works for a few minutes and that nobody is to keep."""
    headers = {"ResponseContentType": media_type, "ResponseCacheControl": "private, no-store"}
    if disposition:
        headers["ResponseContentDisposition"] = disposition
    bucket: Any = default_storage
    return HttpResponseRedirect(bucket.signed_url(name, seconds=SIGNED_URL_SECONDS, headers=headers))
