from __future__ import annotations

from axes.admin import AccessAttemptAdmin
from axes.models import AccessAttempt
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.shortcuts import redirect
from django.utils import timezone
from knox.admin import AuthTokenAdmin
from knox.models import AuthToken

from portal.accounts import facilities
from portal.accounts.forms import GivenPasswordForm
from portal.accounts.models import Facility, NoticeAcceptance, User
from portal.accounts.notice import accept_notice
from portal.admin import AuditedAdmin, ReadOnlyAdmin


@admin.register(Facility)
class FacilityAdmin(AuditedAdmin):
    list_display = ["name", "blind_first_read", "double_read_percent", "is_active", "created_at"]
    readonly_fields = ["uid", "blind_since", "created_at"]
    search_fields = ["name"]
    fieldsets = [
        (None, {"fields": ["name", "is_active", "uid", "created_at"]}),
        ("Blind first read", {"fields": ["blind_first_read", "blind_since"]}),
        (
            "Reading order",
            {
                "fields": [
                    ("stat_target_minutes", "urgent_target_minutes", "routine_target_minutes"),
                    ("stat_maximum_minutes", "urgent_maximum_minutes", "routine_maximum_minutes"),
                    "ai_order_weight",
                    "ai_order_trial",
                ]
            },
        ),
        (
            "Double reading",
            {"fields": ["double_read_percent", "double_read_if_ai_disagrees", "double_read_if_ai_indeterminate"]},
        ),
    ]

    def save_model(self, request, obj, form, change):
        if "blind_first_read" in form.changed_data:
            obj.blind_since = timezone.now()  # what readers saw before that was not hidden from them
        super().save_model(request, obj, form, change)
        if change:
            facilities.settings_changed(obj)


@admin.register(User)
class PortalUserAdmin(AuditedAdmin, UserAdmin):
    add_form = AdminUserCreationForm
    change_password_form = GivenPasswordForm
    list_display = ["username", "first_name", "last_name", "role", "facility", "is_active", "last_login"]
    list_filter = ["role", "facility", "is_active"]
    search_fields = ["username", "first_name", "last_name", "email"]
    list_select_related = ["facility"]
    filter_horizontal = ["groups"]
    readonly_fields = ["uid", "must_change_password", "last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "password", "must_change_password", "uid"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("Rights", {"fields": ["role", "facility", "groups", "is_active"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    actions = ["accept_notice_for"]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["username", "usable_password", "password1", "password2"]}),
        ("Rights", {"fields": ["role", "facility"]}),
    ]

    def save_model(self, request, obj, form, change):
        if not change:
            obj.must_change_password = obj.has_usable_password()
        super().save_model(request, obj, form, change)

    def user_change_password(self, request, id, form_url=""):
        """One's own password is changed where the old one is asked for."""
        if id == str(request.user.pk):
            return redirect("password_change")
        return super().user_change_password(request, id, form_url)

    @admin.action(description="Accept the research-use notice for these machine accounts", permissions=["change"])
    def accept_notice_for(self, request, queryset):
        users = list(queryset)
        for user in users:
            accept_notice(user=user, accepted_by=request.user, request=request)
        names = ", ".join(user.username for user in users)
        self.message_user(request, f"The notice in force is accepted for {names}.", messages.SUCCESS)


admin.site.unregister(Group)


@admin.register(Group)
class PortalGroupAdmin(AuditedAdmin, GroupAdmin):
    """Groups add to what the roles of their users permit."""


admin.site.unregister([AuthToken, AccessAttempt])


@admin.register(AuthToken)
class PortalTokenAdmin(AuditedAdmin, AuthTokenAdmin):
    """Whose token it was stands in the trail; its digest says nothing to anybody."""

    def in_the_trail(self, obj):
        return obj.user, self.opts.verbose_name


@admin.register(AccessAttempt)
class PortalAccessAttemptAdmin(AuditedAdmin, AccessAttemptAdmin):
    """To delete one lets the account in again. What was typed as a name stands in the trail only where it is one."""

    def in_the_trail(self, obj):
        return User.objects.filter(username=obj.username).first(), self.opts.verbose_name


@admin.register(NoticeAcceptance)
class NoticeAcceptanceAdmin(ReadOnlyAdmin):
    list_display = ["user__username", "version", "accepted_at", "accepted_by", "ip_address"]
    list_filter = ["version"]
    list_select_related = ["user", "accepted_by"]
    search_fields = ["user__username"]
