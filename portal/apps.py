from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import (
    apps as admin,  # the module: AdminConfig itself, imported here, would be a second default
)


class PortalConfig(AppConfig):
    name = "portal"
    default = True


class PortalAdminConfig(admin.AdminConfig):
    default_site = "portal.admin.PortalAdminSite"
    default = False  # INSTALLED_APPS names it in full
