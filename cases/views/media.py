from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views import View

from cases.models import Radiograph
from cases.storage import FileMissing
from portal.audit.models import Event
from portal.audit.services import record
from portal.media import stored_file


class RadiographFileView(View):
    """Bytes of a radiograph, for whoever may see its case. Looking leaves an audit row, also at a cached copy."""

    http_method_names = ["get", "head"]
    kind: str

    def file_of(self, radiograph: Radiograph) -> dict[str, str]:
        """Keyword arguments of ``file_response``."""
        raise NotImplementedError

    def get(self, request, uid):
        visible = Radiograph.objects.visible_to(request.user).select_related("case__facility")
        radiograph = get_object_or_404(visible, uid=uid)
        record(Event.VIEWED_IMAGE, actor=request.user, obj=radiograph, request=request, detail=self.kind)
        return file_response(request, **self.file_of(radiograph))


class RadiographPreviewView(RadiographFileView):
    kind = "preview"

    def file_of(self, radiograph: Radiograph) -> dict[str, str]:
        return {"name": str(radiograph.preview), "media_type": "image/png", "etag": radiograph.preview_sha256}


class RadiographOriginalView(RadiographFileView):
    kind = "original"

    def file_of(self, radiograph: Radiograph) -> dict[str, str]:
        return {
            "name": str(radiograph.original),
            "media_type": radiograph.media_type,
            "etag": radiograph.sha256,
            "download_name": radiograph.original_name,
        }


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
