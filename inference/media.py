"""Heatmaps for whoever may see their case; pages and API answer with the same. Looking leaves an audit row."""

from __future__ import annotations

import hashlib

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response

from cases.blinding import blinding_of
from inference.heatmaps import picture_of
from inference.models import Heatmap
from portal.audit.models import Event
from portal.audit.services import record
from portal.media import private


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
    png = picture_of(heatmap)
    etag = hashlib.sha256(png).hexdigest()
    unchanged = get_conditional_response(request, etag=f'"{etag}"')
    return unchanged or private(HttpResponse(png, content_type="image/png"), etag=etag)
