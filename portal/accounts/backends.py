from __future__ import annotations

from django.contrib.auth.backends import ModelBackend

from portal.accounts.access import ROLE_ACTIONS


class RoleBackend(ModelBackend):
    """Permissions come from the role table; groups may add to them, single users get none of their own."""

    def get_user_permissions(self, user_obj, obj=None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        return set(ROLE_ACTIONS.get(user_obj.role, frozenset()))
