from __future__ import annotations

from django.contrib import admin

from portal.admin import ReadOnlyAdmin
from portal.audit.models import AuditEvent, Event
from portal.audit.services import record


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """The trail of one's own facility; nobody changes it, and looking at it is part of it."""

    list_display = ["at", "actor", "event", "object_type", "object_uid", "ip_address"]
    list_filter = ["event"]
    list_select_related = ["actor"]
    search_fields = ["object_uid", "actor__username"]
    show_full_result_count = False

    def get_queryset(self, request):
        return super().get_queryset(request).filter(facility=request.user.facility_id)

    def changelist_view(self, request, extra_context=None):
        if self.has_view_permission(request):
            record(Event.VIEWED_AUDIT, actor=request.user, request=request)
        return super().changelist_view(request, extra_context)
