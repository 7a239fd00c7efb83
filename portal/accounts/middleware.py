from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied

from portal.accounts.access import Anyone, allows, rule_for

API_NAMESPACE = "api"


class ClosedByDefaultMiddleware:
    """Lets a request reach a page only if the route table says so.

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
            return None
        if rule is not None and rule is not Anyone.PUBLIC and not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        raise PermissionDenied
