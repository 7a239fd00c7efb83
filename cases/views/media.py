from __future__ import annotations

from django.views import View

from cases.media import original_response, preview_response, values_response


class RadiographPreviewView(View):
    http_method_names = ["get", "head"]

    def get(self, request, uid):
        return preview_response(request, uid)


class RadiographOriginalView(View):
    http_method_names = ["get", "head"]

    def get(self, request, uid):
        return original_response(request, uid)


class RadiographPixelsView(View):
    http_method_names = ["get"]  # HEAD would have to decode the image to tell its length

    def get(self, request, uid):
        return values_response(request, uid)
