from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from django.http import Http404, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views import View

from cases.forms import UploadForm
from cases.models import Case
from cases.submission import FileOutcome, submit_files
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError
from portal.problems import MEDIA_TYPE, problem, wants_json


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
            return self._refused(form)
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
            return self._refused(form, error)
        status = _status(outcomes)
        if wants_json(request):
            return JsonResponse({"files": [_as_json(outcome) for outcome in outcomes]}, status=status)
        if status != HTTPStatus.OK:  # nothing was taken: what was typed stays for the next attempt
            return self._page(form, case=form.cleaned_data["case"], outcomes=outcomes, status=status)
        return self._page(UploadForm(user=request.user), outcomes=outcomes)

    def _refused(self, form: UploadForm, error: DomainError | None = None):
        """The form with what is wrong beside the fields; the script is told the same as a problem."""
        status = error.status if error else HTTPStatus.BAD_REQUEST
        if not wants_json(self.request):
            return self._page(form, case=form.cleaned_data.get("case"), status=status)
        words = {"code": error.code, "cause": error.cause, "remedy": error.remedy} if error else {}
        body = problem(status, errors=form.errors.get_json_data(), **words)
        return JsonResponse(body, status=status, content_type=MEDIA_TYPE)

    def _page(self, form: UploadForm, *, case: Case | None = None, outcomes=(), status: int = 200):
        if case is not None:
            _record_view(self.request, case)
        context = {"form": form, "case": case, "outcomes": outcomes}
        return render(self.request, "cases/upload.html", context, status=status)


def _record_view(request, case: Case) -> None:
    record(Event.VIEWED_CASE, actor=request.user, obj=case, request=request, detail="upload page")


def _uid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _status(outcomes: list[FileOutcome]) -> int:
    """200 where anything was taken; else the status of the first file's refusal."""
    errors = [outcome.error for outcome in outcomes if outcome.error]
    return errors[0].status if len(errors) == len(outcomes) else HTTPStatus.OK


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
