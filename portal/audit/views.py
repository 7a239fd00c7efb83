from __future__ import annotations

from django.views.generic import ListView

from portal.audit.models import AuditEvent, Event
from portal.audit.services import record


class AuditView(ListView):
    """Who saw or did what in the user's facility; looking here leaves a row too."""

    template_name = "audit/audit.html"
    context_object_name = "events"
    paginate_by = 100

    def get_queryset(self):
        events = AuditEvent.objects.filter(facility=self.request.user.facility).select_related("actor")
        if (event := self.request.GET.get("event", "")) in Event.values:
            events = events.filter(event=event)
        if name := self.request.GET.get("user", "").strip():
            events = events.filter(actor__username=name)
        return events

    def get_context_data(self, **kwargs):
        record(Event.VIEWED_AUDIT, actor=self.request.user, request=self.request)
        return super().get_context_data(**kwargs, event_choices=Event.choices)
