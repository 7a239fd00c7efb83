from __future__ import annotations

from django.views import View

from cases.media import original_response, preview_response


class RadiographPreviewView(View):
    http_method_names = ["get", "head"]

    def get(self, request, uid):
        return preview_response(request, uid)


class RadiographOriginalView(View):
    http_method_names = ["get", "head"]

    def get(self, request, uid):
        return original_response(request, uid)
