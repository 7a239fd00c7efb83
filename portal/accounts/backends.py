from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef

from portal.accounts.access import ROLE_ACTIONS
from portal.accounts.models import User
from portal.accounts.notice import acceptance


class RoleBackend(ModelBackend):
    """Permissions come from the role table; groups may add to them, single users get none of their own."""

    def get_user(self, user_id) -> User | None:
        """The user of a session, in one statement with what every page asks of them."""
        groups = Group.objects.filter(user=OuterRef("pk"))
        users = User.objects.select_related("facility")
        users = users.annotate(is_in_a_group=Exists(groups), has_accepted_notice=acceptance())
        user = users.filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None

    def user_can_authenticate(self, user) -> bool:
        return user.may_come_in

    def get_user_permissions(self, user_obj, obj=None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        return set(ROLE_ACTIONS.get(user_obj.role, frozenset()))

    def get_group_permissions(self, user_obj, obj=None) -> set[str]:
        if getattr(user_obj, "is_in_a_group", True):
            return super().get_group_permissions(user_obj, obj)
        return set()
