from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal.accounts.access import Action, Role
from portal.append_only import AppendOnly


class Facility(models.Model):
    """A hospital or clinic; every clinical row belongs to one."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    is_active = models.BooleanField(default=True)
    blind_first_read = models.BooleanField(
        default=True, help_text="Readers see the AI's reading of a case only after their own first impression of it."
    )
    blind_since = models.DateTimeField("blind since", default=timezone.now, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "facilities"
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="facility_has_a_name")]

    def __str__(self) -> str:
        return self.name


class RoleUserManager(UserManager):
    def create_superuser(self, username, email=None, password=None, **extra):
        """There is no superuser: `createsuperuser` makes an administrator, who sees no patient data."""
        return self.create_user(username, email, password, **{**extra, "role": Role.ADMINISTRATOR})

    def _create_user_object(self, username, email, password, **extra):
        extra.pop("is_staff", None)
        extra.pop("is_superuser", None)
        return super()._create_user_object(username, email, password, **extra)  # type: ignore[misc] # not in the stubs


class User(AbstractUser):
    """A person or a system that signs in. The role decides everything; groups can add permissions."""

    is_superuser = False  # nobody skips the role table
    user_permissions = None  # type: ignore[assignment] # they come by role or group only

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    role = models.CharField(max_length=20, choices=Role.choices)
    facility = models.ForeignKey(Facility, models.PROTECT, null=True, blank=True, related_name="users")

    objects: ClassVar[RoleUserManager] = RoleUserManager()

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_is_known"),
            models.CheckConstraint(
                condition=Q(role=Role.ADMINISTRATOR) | Q(facility__isnull=False),
                name="user_has_a_facility_unless_administrator",
                violation_error_message="Everybody but an administrator belongs to a facility.",
            ),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def is_staff(self) -> bool:  # type: ignore[override] # the admin site asks this
        return self.has_perm(Action.ACCESS_ADMIN)


class NoticeAcceptance(AppendOnly):
    """That an account accepted a version of the research-use notice: by whom, when and from where."""

    user = models.ForeignKey(User, models.PROTECT, related_name="notice_acceptances")
    version = models.CharField(max_length=20)
    accepted_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    accepted_at = models.DateTimeField(auto_now_add=True)
    ip_address = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "version"], name="notice_accepted_once_per_user_and_version"),
        ]

    def __str__(self) -> str:
        return f"Version {self.version} by {self.user}"
