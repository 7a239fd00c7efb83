"""How the API knows who asks, and how it asks the route table."""

from __future__ import annotations

import re

from knox import auth
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed
from rest_framework.permissions import BasePermission

from portal.accounts.access import Action, allows, rule_for
from portal.accounts.notice import check_accepted
from portal.accounts.passwords import check_password_is_own


class TokenAuthentication(auth.TokenAuthentication):
    def authenticate_credentials(self, token: bytes):
        """Refuses bytes that no token holds before they reach the database."""
        if not re.fullmatch(rb"[A-Za-z0-9]+", token):
            raise AuthenticationFailed
        return super().authenticate_credentials(token)


class HasActionPermission(BasePermission):
    """Default permission of every API view: the route table decides, an unlisted route answers nobody."""

    def has_permission(self, request, view) -> bool:
        if request.user.is_authenticated and request.method not in view.allowed_methods:
            raise MethodNotAllowed(request.method)
        rule = rule_for(request.resolver_match.view_name, request.method)
        allowed = allows(rule, request.user)
        if allowed and isinstance(rule, Action):
            check_password_is_own(request.user)
            check_accepted(request.user)
        return allowed
