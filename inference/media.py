"""Heatmaps for whoever may see their case; pages and API answer with the same. Looking leaves an audit row."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from cases.blinding import blinding_of
from cases.media import file_response
from cases.storage import read_verified
from inference.models import Heatmap
from portal.audit.models import Event
from portal.audit.services import record


def heatmap_response(request, uid):
    """The coloured map as a transparent PNG; 404 for what the user may not see, and where there is no usable map.

    Raises:
        FirstImpressionNeeded: The map is not for this reader's eyes yet, whether it is usable or not.
    """
    visible = Heatmap.objects.visible_to(request.user)
    heatmap = get_object_or_404(visible.select_related("member__prediction__run__radiograph__case__facility"), uid=uid)
    blinding_of(request.user).check(heatmap.case)
    if not heatmap.is_usable:
        raise Http404
    record(Event.VIEWED_HEATMAP, actor=request.user, obj=heatmap, request=request)
    return file_response(request, name=str(heatmap.image), media_type="image/png", etag=heatmap.sha256)


def heatmap_png(heatmap: Heatmap) -> bytes:
    """The same picture, for whoever puts it into another document; the caller has checked who asks.

    Raises:
        FileMissing, FileDamaged: See ``read_verified``.
    """
    return read_verified(str(heatmap.image), heatmap.sha256)
