from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from portal.accounts.access import Action, Role
from portal.append_only import AppendOnly

_PRIORITIES = ("stat", "urgent", "routine")
_YEAR_MINUTES = 365 * 24 * 60
_AT_MOST_A_YEAR = [MaxValueValidator(_YEAR_MINUTES)]  # far beyond any wait, and far within what a moment can be


class Facility(models.Model):
    """A hospital or clinic; every clinical row belongs to one."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    is_active = models.BooleanField(
        default=True,
        help_text="Where it is not, nobody of the facility gets in, nor their programs; nothing is deleted.",
    )
    blind_first_read = models.BooleanField(
        default=True, help_text="Readers see the AI's reading of a case only after their own first impression of it."
    )
    blind_since = models.DateTimeField("blind since", default=timezone.now, editable=False)

    stat_target_minutes = models.PositiveIntegerField(
        "stat: read within, minutes",
        default=30,
        validators=_AT_MOST_A_YEAR,
        help_text="The worklist counts each case's time down to its target.",
    )
    urgent_target_minutes = models.PositiveIntegerField(
        "urgent: read within, minutes", default=4 * 60, validators=_AT_MOST_A_YEAR
    )
    routine_target_minutes = models.PositiveIntegerField(
        "routine: read within, minutes", default=24 * 60, validators=_AT_MOST_A_YEAR
    )
    stat_maximum_minutes = models.PositiveIntegerField(
        "stat: longest wait, minutes",
        default=90,
        validators=_AT_MOST_A_YEAR,
        help_text="A case that has waited for so long comes before every case that has not, whatever its priority. "
        "Set it to what the department keeps even on a bad day: behind many such cases a new stat case waits, too.",
    )
    urgent_maximum_minutes = models.PositiveIntegerField(
        "urgent: longest wait, minutes", default=12 * 60, validators=_AT_MOST_A_YEAR
    )
    routine_maximum_minutes = models.PositiveIntegerField(
        "routine: longest wait, minutes", default=3 * 24 * 60, validators=_AT_MOST_A_YEAR
    )
    ai_order_weight = models.FloatField(
        "AI weight in the reading order",
        default=0.5,
        help_text="0 to 1. A case that the AI is sure of moves ahead or back within its priority by this part of the "
        "target; 0 leaves the AI out. While readers read blind, the AI has no part in the order: it would tell them.",
    )
    ai_order_trial = models.BooleanField(
        "trial of the AI's part in the order",
        default=False,
        help_text="Draws for each day whether the cases received on it are ordered with the AI or without, and keeps "
        "on each case which of both it was.",
    )
    double_read_percent = models.PositiveSmallIntegerField(
        "share of cases read twice, in per cent",
        default=0,
        validators=[MaxValueValidator(100)],
        help_text="Drawn when the first read is signed. With 0, a second read tells its reader that a rule holds.",
    )
    double_read_if_ai_disagrees = models.BooleanField(
        "read twice where AI and reader disagree",
        default=False,
        help_text="The AI names a class, and the first reader signs another label.",
    )
    double_read_if_ai_indeterminate = models.BooleanField(
        "read twice where the AI is indeterminate",
        default=False,
        help_text="The AI judged the image and names no class.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "facilities"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="facility_has_a_name"),
            models.CheckConstraint(
                condition=Q(
                    *(Q((f"{priority}_target_minutes__gt", 0)) for priority in _PRIORITIES),
                    *(Q((f"{one}_maximum_minutes__gte", F(f"{one}_target_minutes"))) for one in _PRIORITIES),
                ),
                name="facility_longest_wait_is_no_less_than_target",
                violation_error_message="A target is a minute or more, and no longest wait is shorter than its target.",
            ),
            models.CheckConstraint(
                condition=Q(*(Q((f"{priority}_maximum_minutes__lte", _YEAR_MINUTES)) for priority in _PRIORITIES)),
                name="facility_longest_wait_is_at_most_a_year",
                violation_error_message="No longest wait is longer than a year.",
            ),
            models.CheckConstraint(
                condition=Q(ai_order_weight__gte=0, ai_order_weight__lte=1),
                name="facility_ai_order_weight_in_unit",
                violation_error_message="The AI weight is a number from 0 to 1.",
            ),
            models.CheckConstraint(
                condition=Q(ai_order_trial=False) | Q(blind_first_read=False, ai_order_weight__gt=0),
                name="facility_trial_needs_ai_in_the_order",
                violation_error_message="A trial needs an AI weight above 0 and readers who do not read blind.",
            ),
            models.CheckConstraint(condition=Q(double_read_percent__lte=100), name="facility_double_read_is_a_share"),
        ]

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

    must_change_password = models.BooleanField(
        default=False,
        editable=False,
        help_text="Somebody else chose the password: before anything else its owner chooses another one.",
    )
    own_keys = models.JSONField(default=dict, blank=True, editable=False)  # those that are not the usual ones

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

    @transaction.atomic
    def save(self, *args, **kwargs) -> None:
        """A new password, whoever gives it, ends the account's API tokens: others may have known the old one."""
        # Django's own mark, which it does not set where it only stores a known password in a newer way.
        has_new_password = self.pk is not None and self._password is not None  # type: ignore[attr-defined]
        super().save(*args, **kwargs)
        if has_new_password:
            self.auth_token_set.all().delete()  # type: ignore[attr-defined] # knox's, which the stubs do not know

    @property
    def may_come_in(self) -> bool:
        """Whether the account, and the facility if it has one, are active."""
        return self.is_active and (self.facility is None or self.facility.is_active)

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
