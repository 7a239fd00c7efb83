"""How the API asks the route table."""

from __future__ import annotations

from rest_framework.permissions import BasePermission

from portal.accounts.access import allows, rule_for


class HasActionPermission(BasePermission):
    """Default permission of every API view: the route table decides, an unlisted route answers nobody."""

    def has_permission(self, request, view) -> bool:
        return allows(rule_for(request.resolver_match.view_name, request.method), request.user)
