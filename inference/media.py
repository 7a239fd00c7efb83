"""Heatmaps for whoever may see their case; pages and API answer with the same. Looking leaves an audit row."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from cases.media import file_response
from inference.models import Heatmap
from portal.audit.models import Event
from portal.audit.services import record


def heatmap_response(request, uid):
    """The coloured map as a transparent PNG; 404 for what the user may not see, and where there is no usable map."""
    visible = Heatmap.objects.visible_to(request.user).filter(is_usable=True)
    heatmap = get_object_or_404(visible.select_related("member__prediction__run__radiograph__case__facility"), uid=uid)
    record(Event.VIEWED_HEATMAP, actor=request.user, obj=heatmap, request=request)
    return file_response(request, name=str(heatmap.image), media_type="image/png", etag=heatmap.sha256)
