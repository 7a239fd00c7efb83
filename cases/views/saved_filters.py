from __future__ import annotations

from django.contrib import messages
from django.http import QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.views import View

from cases.blinding import blinding_of
from cases.filters import SavedFilterForm, WorklistFilter
from cases.hand import Hand
from cases.models import Case, SavedFilter
from cases.saved_filters import remove_filter, save_filter
from cases.worklist import SORTS
from portal.errors import DomainError


class SaveFilterView(View):
    """Keeps the tab, filters and order that the list shows under a name."""

    def post(self, request):
        form = SavedFilterForm(request.POST)
        if not form.is_valid():
            messages.error(request, f"The filter is not saved. {next(iter(form.errors.values()))[0]}")
            return redirect("cases:worklist")
        said = form.cleaned_data
        query = _known_part(request, said["query"])
        try:
            saved = save_filter(owner=request.user, name=said["name"], query=query, is_shared=said["is_shared"])
        except DomainError as error:
            messages.error(request, str(error))
            return redirect(SavedFilter(query=query))
        messages.success(request, f"“{saved.name}” is saved.")
        return redirect(saved)


class RemoveFilterView(View):
    def post(self, request, uid):
        saved = get_object_or_404(SavedFilter.objects.visible_to(request.user).select_related("owner"), uid=uid)
        remove_filter(saved=saved, actor=request.user)
        messages.success(request, f"“{saved.name}” is removed.")
        return redirect("cases:worklist")


def _known_part(request, query: str) -> str:
    """What the worklist knows of an address, but no place and no search: a filter keeps nobody's name."""
    asked = QueryDict(query, mutable=True)
    asked.pop("q", None)
    blinding = blinding_of(request.user)
    filters = WorklistFilter(asked, queryset=Case.objects.none(), request=request, blinding=blinding, hand=Hand())
    known = filters.form.cleaned_data if filters.is_valid() else {}
    kept = QueryDict(mutable=True)
    kept.update({name: value for name, value in known.items() if value})
    if (sort := asked.get("sort", "")) in SORTS:
        kept["sort"] = sort
    return kept.urlencode()
