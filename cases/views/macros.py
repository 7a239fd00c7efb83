"""A reader's own macros. Whose they are is all that decides who sees them; nothing of a patient stands in them."""

from __future__ import annotations

from django.contrib import messages
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View

from cases.forms import MacroForm
from cases.macros import save_macro
from cases.models import Macro
from portal.errors import DomainError
from portal.problems import wants_json


class MacroListView(View):
    """The page on which they are kept. The case page's script gets them as JSON."""

    def get(self, request):
        if wants_json(request):
            return JsonResponse({"macros": list(_own(request.user).values("abbreviation", "text"))})
        return _page(request, MacroForm())

    def post(self, request):
        return _saved(request, None)


class MacroView(View):
    """Changes one."""

    def get(self, request, uid):
        macro = get_object_or_404(_own(request.user), uid=uid)
        return _page(request, MacroForm(initial={"abbreviation": macro.abbreviation, "text": macro.text}), macro)

    def post(self, request, uid):
        return _saved(request, get_object_or_404(_own(request.user), uid=uid))


class DeleteMacroView(View):
    def post(self, request, uid):
        macro = get_object_or_404(_own(request.user), uid=uid)
        macro.delete()
        messages.success(request, f"/{macro.abbreviation} is deleted.")
        return redirect("cases:macro-list")


def _own(user):
    return Macro.objects.filter(owner=user)


def _saved(request, macro: Macro | None):
    form = MacroForm(request.POST)
    if not form.is_valid():
        return _page(request, form, macro, status=400)
    try:
        save_macro(owner=request.user, macro=macro, **form.cleaned_data)
    except DomainError as error:
        form.add_error("abbreviation", str(error))
        return _page(request, form, macro, status=error.status)
    messages.success(request, f"Saved. Type /{form.cleaned_data['abbreviation']} and a space in the findings.")
    return redirect("cases:macro-list")


def _page(request, form: MacroForm, macro: Macro | None = None, *, status: int = 200):
    """All of the reader's macros, and a form for one more or for ``macro``."""
    context = {"macros": list(_own(request.user)), "form": form, "macro": macro}
    return render(request, "cases/macros.html", context, status=status)
