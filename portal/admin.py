from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login


class PortalAdminSite(admin.AdminSite):
    """Django admin behind the portal's own sign-in page."""

    site_title = "CXR portal administration"
    site_header = "CXR portal administration"
    index_title = "People, places and models"
    site_url = "/"

    def login(self, request, extra_context=None):
        return redirect_to_login(request.GET.get("next", "/admin/"))
