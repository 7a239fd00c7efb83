from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.views import redirect_to_login

from portal.accounts.models import Facility
from portal.audit.models import Event
from portal.audit.services import record


class PortalAdminSite(admin.AdminSite):
    """Django admin behind the portal's own sign-in page."""

    site_title = "CXR portal administration"
    site_header = "CXR portal administration"
    index_title = "People, places and models"
    site_url = "/"

    def login(self, request, extra_context=None):
        return redirect_to_login(request.GET.get("next", "/admin/"))


class OfferedFiltersAdmin(admin.ModelAdmin):
    """Its list is narrowed by the filters that it offers only.

    Django takes any column of the row in the address, and any relation to it: so a list that hides what the AI
    concluded, or who read what, would still tell it to whoever asks for one value after the other.
    """

    def lookup_allowed(self, lookup, value, request=None):
        offered = [self.date_hierarchy, *(_name_of(one) for one in self.get_list_filter(request))]
        is_offered = any(name and f"{lookup}__".startswith(f"{name}__") for name in offered)
        return is_offered and super().lookup_allowed(lookup, value, request)


def _name_of(offered: Any) -> str:
    """Of a filter as ``list_filter`` names it: a field, or a class with a parameter of its own."""
    return getattr(offered, "parameter_name", offered)


class AuditedAdmin(OfferedFiltersAdmin):
    """What an administrator changes is in the audit trail, too: Django's own log is shown to administrators only."""

    def log_addition(self, request, obj, message):
        self._record(request, obj, "added")
        return super().log_addition(request, obj, message)

    def log_change(self, request, obj, message):
        said = LogEntry(action_flag=CHANGE, change_message=json.dumps(message)).get_change_message()
        self._record(request, obj, said)
        return super().log_change(request, obj, message)

    def log_deletions(self, request, queryset):
        for obj in queryset:
            self._record(request, obj, "deleted")
        return super().log_deletions(request, queryset)

    def in_the_trail(self, obj):
        """What the audit row points to, which has a uid, or None; and how the row calls what was changed."""
        return obj if hasattr(obj, "uid") else None, f"{self.opts.verbose_name} {obj}"

    def _record(self, request, obj, what: str) -> None:
        facility = obj if isinstance(obj, Facility) else None  # of others `record` knows it
        known, name = self.in_the_trail(obj)
        detail = f"{name}: {what}"
        record(Event.ADMINISTERED, actor=request.user, obj=known, facility=facility, request=request, detail=detail)


class ReadOnlyAdmin(OfferedFiltersAdmin):
    """For rows that people or machines write elsewhere: to be looked at by whoever may, in their own facility only."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.visible_to(request.user) if hasattr(rows, "visible_to") else rows


class ClinicalAdmin(ReadOnlyAdmin):
    """Read-only rows of patients: looking at them here leaves an audit row, as it does everywhere else."""

    search_fields = ["uid"]

    def changelist_view(self, request, extra_context=None):
        if self.has_view_permission(request):
            record(
                Event.VIEWED_ADMIN, actor=request.user, request=request, detail=f"list: {self.opts.verbose_name_plural}"
            )
        return super().changelist_view(request, extra_context)

    def get_object(self, request, object_id, from_field=None):
        obj = super().get_object(request, object_id, from_field)
        if obj is not None and self.has_view_permission(request, obj):
            record(Event.VIEWED_ADMIN, actor=request.user, obj=obj, request=request)
        return obj


class ReadOnlyInline(admin.TabularInline):
    """Rows that belong to a read-only one."""

    extra = 0
    can_delete = False

    def get_readonly_fields(self, request, obj=None):
        return self.fields or ()

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False
