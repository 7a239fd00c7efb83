from __future__ import annotations

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from portal.accounts import sessions
from portal.accounts.access import Action, Anyone, allows, rule_for
from portal.accounts.notice import NoticeNotAccepted, check_accepted
from portal.accounts.passwords import PasswordNotOwn, check_password_is_own
from portal.problems import of_domain_error, problem_response, wants_json

API_NAMESPACE = "api"


class KeptByNobodyMiddleware:
    """No browser or proxy keeps an answer that does not say that it may: who comes next to a workstation sees none."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class EndingSessionMiddleware:
    """Ends a session that is over: who comes with it is nobody, as after signing out."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if SESSION_KEY in request.session:
            if sessions.is_over(request.session):
                request.session.flush()
            elif "X-Automatic" not in request.headers:
                sessions.note_use(request.session)
        return self.get_response(request)


class ClosedByDefaultMiddleware:
    """Lets a request reach a page only if the route table says so, and its user has done what comes first.

    A password of their own and the research-use notice come before whatever a role permits; what is for everybody
    signed in, such as signing out, needs neither.
    API routes carry tokens that only REST framework reads: there ``HasActionPermission`` asks the same table.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view_func, view_args, view_kwargs):
        match = request.resolver_match
        if match.namespace.partition(":")[0] == API_NAMESPACE:
            return None
        rule = rule_for(match.view_name, request.method)
        if allows(rule, request.user):
            return self.after_password_and_notice(request) if isinstance(rule, Action) else None
        if rule is not None and rule is not Anyone.PUBLIC and not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        raise PermissionDenied

    def after_password_and_notice(self, request):
        """To the page that does it, which leads back; a script, and a form filled in meanwhile, are told in words."""
        try:
            check_password_is_own(request.user)
            check_accepted(request.user)
        except (PasswordNotOwn, NoticeNotAccepted) as error:
            if request.method not in {"GET", "HEAD"} or request.htmx or wants_json(request):
                return problem_response(request, of_domain_error(error))
            return redirect(f"{reverse(error.page)}?{urlencode({'next': request.get_full_path()})}")
        return None
