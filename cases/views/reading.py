"""What a reader does with a case. Each view calls one service; a refusal brings the page back with what was typed."""

from __future__ import annotations

from django.contrib import messages
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.views import View

from cases import amending, claims, reading, services
from cases.forms import LabResultForm, ReviewForm
from cases.lab_results import add_lab_result
from cases.models import Case, Review
from cases.views.page import case_context, case_url, done_on_page, render_case, visible_case
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError
from portal.problems import of_domain_error, problem_response, wants_json
from portal.typed import text_of


class ReadingView(View):
    """Something that a reader does on the case page.

    Who has to sign in first comes back by GET, without what was sent: the page of the case has what was typed.
    """

    def get(self, request, uid):
        return redirect(case_url(request, visible_case(request.user, uid)))


class ReleaseView(ReadingView):
    """Puts the case back. What the reader has typed comes along and is kept as a draft first."""

    def post(self, request, uid):
        case = visible_case(request.user, uid)
        form = ReviewForm(request.POST, case=case)
        has_text = "findings" in request.POST
        if has_text and not form.is_valid():
            return render_case(request, case, review_form=form, status=400)
        try:
            if has_text:
                reading.save_review(case=case, reader=request.user, request=request, **form.cleaned_data)
            claims.release_case(case=case, actor=request.user, request=request)
        except DomainError as error:
            if has_text:
                return _typed_text_kept(request, case, form, error)
            return render_case(request, visible_case(request.user, uid), problem=error, status=error.status)
        messages.success(request, "The case is back in the queue. What you wrote is kept as your draft.")
        return redirect("cases:worklist")


class FirstImpressionView(ReadingView):
    """Commits the first impression with one click, and keeps what is typed so far.

    A script gets the parts of the page that change, and the AI's reading with them; without one the page comes again.
    """

    def post(self, request, uid):
        case = visible_case(request.user, uid)
        form = ReviewForm(request.POST, case=case)
        has_text = "findings" in request.POST
        try:
            self._commit(case, form, has_text)
        except DomainError as error:
            if request.htmx:
                context = case_context(request, visible_case(request.user, uid)) | {"refusal": error}
                return render(request, "cases/_first_impression.html", context, status=error.status)
            if has_text:
                return _typed_text_kept(request, case, form, error)
            return render_case(request, visible_case(request.user, uid), problem=error, status=error.status)
        if request.htmx:
            context = case_context(request, visible_case(request.user, uid))
            return render(request, "cases/_first_impression_given.html", context)
        return redirect(case_url(request, case))

    def _commit(self, case: Case, form: ReviewForm, has_text: bool) -> None:
        if not form.is_valid():
            raise _unfit(form)
        if not form.cleaned_data["first_impression"]:
            raise services.InvalidDetails("The first impression is missing.", remedy="Choose one of those offered.")
        kept = form.cleaned_data if has_text else {"first_impression": form.cleaned_data["first_impression"]}
        reading.save_review(case=case, reader=self.request.user, request=self.request, **kept)


class ReviewView(ReadingView):
    """Keeps a draft. The script that saves while the reader types gets the draft's version, or a problem, as JSON."""

    def post(self, request, uid):
        case = visible_case(request.user, uid)
        form = ReviewForm(request.POST, case=case)
        if wants_json(request):
            return self._save_quietly(case, form)
        if not form.is_valid():
            return render_case(request, case, review_form=form, status=400)
        try:
            reading.save_review(case=case, reader=request.user, request=request, **form.cleaned_data)
        except DomainError as error:
            return _typed_text_kept(request, case, form, error)
        messages.success(request, "Draft saved.")
        return redirect(case_url(request, case))

    def _save_quietly(self, case: Case, form: ReviewForm):
        if not form.is_valid():
            raise _unfit(form)
        try:
            review = reading.save_review(case=case, reader=self.request.user, request=self.request, **form.cleaned_data)
        except reading.DraftChanged as error:
            return problem_response(self.request, of_domain_error(error) | {"stored": _told(error.stored)})
        return JsonResponse({"version": review.draft_version})


class VerdictView(View):
    """The question whether the reader agrees, for a page on which the AI ends after the first impression was given."""

    def get(self, request, uid):
        case = visible_case(request.user, uid)
        draft = Review.objects.filter(case=case, reader=request.user, signed_at=None).first()
        form, asks_verdict = ReviewForm.of(case, draft), reading.asks_verdict(case, draft)
        context = {"case": case, "draft": draft, "review_form": form, "asks_verdict": asks_verdict}
        return render(request, "cases/_verdict.html", context)


class SignView(ReadingView):
    """Asks once more, then signs. With scripts the question is a dialog on the case page, without it is a page."""

    def post(self, request, uid):
        case = visible_case(request.user, uid)
        form = ReviewForm(request.POST, case=case)
        if not form.is_valid():
            return render_case(request, case, review_form=form, status=400)
        try:
            if "confirmed" in request.POST:
                said = form.cleaned_data | {"images_shown": form.saw_images}
                reading.sign_case(case=case, reader=request.user, request=request, **said)
            else:
                reading.check_signable(**form.cleaned_data)
                return self._ask(request, case, form)
        except DomainError as error:
            return _typed_text_kept(request, case, form, error)
        return redirect(case_url(request, case))

    def _ask(self, request, case: Case, form: ReviewForm):
        record(Event.VIEWED_CASE, actor=request.user, obj=case, request=request, detail="sign page")
        review = Review(**{name: form.cleaned_data[name] for name in Review.READ_FIELDS})
        return render(request, "cases/sign.html", {"case": case, "form": form, "review": review})


class AmendView(View):
    """Opens an amendment of the signed read; the page then holds a form with its copy."""

    def post(self, request, uid):
        reason = text_of(request.POST, "reason")
        return done_on_page(
            request,
            uid,
            lambda case: amending.open_amendment(case=case, actor=request.user, reason=reason, request=request),
        )


class DiscardAmendmentView(View):
    def post(self, request, uid):
        return done_on_page(request, uid, self._discard)

    def _discard(self, case: Case) -> None:
        amending.discard_amendment(case=case, actor=self.request.user, request=self.request)
        messages.success(self.request, "The amendment is discarded. The signed read stands as it was.")


class AddLabResultView(View):
    def post(self, request, uid):
        case, form = visible_case(request.user, uid), LabResultForm(request.POST)
        if not form.is_valid():
            return render_case(request, case, lab_form=form, status=400)
        try:
            add_lab_result(patient=case.patient, actor=request.user, request=request, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, str(error))
            return render_case(request, case, lab_form=form, status=error.status)
        messages.success(request, "Lab result added.")
        return redirect(case_url(request, case))


def _unfit(form: ReviewForm) -> DomainError:
    return services.InvalidDetails("This read cannot be kept as it is.", remedy=form.first_problem)


def _told(review: Review) -> dict:
    """A draft in words, for its reader to compare another one with."""
    return {
        "version": review.draft_version,
        "final_label": review.final_label_title,
        "findings": review.findings,
        "sentences": [*review.structured_findings.sentences, *filter(None, [review.verdict_on_ai])],
    }


def _typed_text_kept(request, case: Case, form: ReviewForm, error: DomainError):
    form.add_error(None, str(error))
    stored = error.stored if isinstance(error, reading.DraftChanged) else None
    case = visible_case(request.user, case.uid)
    return render_case(request, case, review_form=form, stored_draft=stored, status=error.status)
