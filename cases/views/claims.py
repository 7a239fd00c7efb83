"""Who reads what: the next case, a claim, its renewal while its reader is at work, its take-over."""

from __future__ import annotations

from django.shortcuts import redirect, render
from django.views import View

from cases import claims
from cases.lanes import wait_of
from cases.models import Case
from cases.views.page import case_url, done_on_page, render_case, visible_case
from cases.views.reading import ReadingView
from portal.typed import text_of


class ClaimNextView(View):
    """Gives the reader the next case that nobody is reading."""

    def post(self, request):
        case = claims.claim_next_case(reader=request.user, request=request)
        if case is None:
            raise claims.NothingToRead("There is no case for you to read now.")
        return redirect(case)


class ClaimView(ReadingView):
    """Takes the case; asked again and again, says who has it."""

    def get(self, request, uid):
        """What an open case page keeps showing; with ``?held`` its reader had the case when it was last asked."""
        if not request.htmx:
            return super().get(request, uid)
        case = visible_case(request.user, uid)
        held = "held" in request.GET
        return _state(request, case, held=held, lost=claims.why_lost(case, request.user) if held else None)

    def post(self, request, uid):
        return done_on_page(
            request, uid, lambda case: claims.claim_case(case=case, reader=request.user, request=request)
        )


class RenewClaimView(ReadingView):
    """Keeps the claim of a reader who is at work."""

    def post(self, request, uid):
        case, lost = visible_case(request.user, uid), None
        try:
            claims.renew_claim(case=case, reader=request.user)
        except claims.ClaimLost as error:
            lost = error
        case = visible_case(request.user, uid)
        if request.htmx:
            return _state(request, case, held=True, lost=lost, status=lost.status if lost else 200)
        if lost:
            return render_case(request, case, problem=lost, status=lost.status)
        return redirect(case_url(request, case))


class TakeOverView(ReadingView):
    """Gives a lead the case that somebody else holds."""

    def post(self, request, uid):
        reason = text_of(request.POST, "reason")
        return done_on_page(
            request,
            uid,
            lambda case: claims.take_over_case(case=case, actor=request.user, reason=reason, request=request),
        )


def _state(request, case: Case, *, held: bool, lost: claims.ClaimLost | None, status: int = 200):
    is_mine = case.is_held_by(request.user)
    context = {
        "case": case,
        "is_mine": is_mine,
        "held": held or is_mine,
        "lost": lost,
        "may_take_over": claims.may_take_over(request.user, case),
        "wait": wait_of(case),
    }
    return render(request, "cases/_claim_update.html", context, status=status)
