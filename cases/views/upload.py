from __future__ import annotations

from uuid import UUID

from django.http import Http404, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views import View

from cases.forms import UploadForm
from cases.models import Case
from cases.submission import FileOutcome, submit_files
from portal.errors import DomainError


class UploadView(View):
    """Images of one case. A plain form post sends all files at once; the page's script sends one request a file."""

    def get(self, request):
        case = None
        if uid := request.GET.get("case"):
            case = get_object_or_404(Case.objects.visible_to(request.user).select_related("patient"), uid=_uid(uid))
        return self._page(UploadForm(user=request.user, initial={"case": case and case.uid}), case=case)

    def post(self, request):
        form = UploadForm(request.POST, request.FILES, user=request.user)
        if not form.is_valid():
            return self._refused(form, status=400)
        try:
            outcomes = submit_files(
                files=form.cleaned_data["files"],
                patient=form.patient,
                target=form.target,
                actor=request.user,
                request=request,
            )
        except DomainError as error:
            form.add_error(None, str(error))
            return self._refused(form, status=error.status)
        if self._wants_json:
            return JsonResponse({"files": [_as_json(outcome) for outcome in outcomes]})
        return self._page(UploadForm(user=request.user), outcomes=outcomes)

    @property
    def _wants_json(self) -> bool:
        return self.request.accepts("application/json") and not self.request.accepts("text/html")

    def _refused(self, form: UploadForm, *, status: int):
        if self._wants_json:
            return JsonResponse({"errors": form.errors.get_json_data()}, status=status)
        return self._page(form, case=form.cleaned_data.get("case"), status=status)

    def _page(self, form: UploadForm, *, case: Case | None = None, outcomes=(), status: int = 200):
        context = {"form": form, "case": case, "outcomes": outcomes}
        return render(self.request, "cases/upload.html", context, status=status)


def _uid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _as_json(outcome: FileOutcome) -> dict[str, str]:
    if outcome.error:
        return {
            "name": outcome.name,
            "status": outcome.status,
            "code": outcome.error.code,
            "cause": outcome.error.cause,
            "remedy": outcome.error.remedy,
        }
    case = outcome.case
    return {"name": outcome.name, "status": outcome.status, "case": str(case.uid), "url": case.get_absolute_url()}
