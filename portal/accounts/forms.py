from __future__ import annotations

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm

from portal.accounts.keyboard import ACTIONS


class KeyboardForm(forms.Form):
    """One key for each action; what a key may be is for ``choose_keys`` to say."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for action in ACTIONS:
            field = forms.CharField(label=action.title, max_length=1)
            field.widget.attrs |= {"class": "form-control key-input", "autocomplete": "off", "autocapitalize": "none"}
            self.fields[action.name] = field


class OwnPasswordForm(PasswordChangeForm):
    """A password of the user's own, in place of one that somebody else may know."""

    def clean_new_password1(self) -> str:
        password = self.cleaned_data["new_password1"]
        if password == self.cleaned_data.get("old_password"):
            raise forms.ValidationError("This is the password that you have. Choose another one.")
        return password

    def save(self, commit=True):
        self.user.must_change_password = False
        return super().save(commit)


class GivenPasswordForm(AdminPasswordChangeForm):
    """A password that an administrator gives somebody else, or takes away."""

    def save(self, commit=True):
        self.user.must_change_password = self.cleaned_data["set_usable_password"]
        return super().save(commit)


class NewTokenForm(forms.Form):
    """A token outlives the session that made it, so whoever makes one says who they are again."""

    password = forms.CharField(
        label="Your password", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, *args, request, **kwargs):
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_password(self) -> str:
        password, user = self.cleaned_data["password"], self._request.user
        # Counted like a sign-in: guessing is cut short, and leaves its rows in the audit trail.
        if authenticate(self._request, username=user.get_username(), password=password) != user:
            raise forms.ValidationError("This is not your password.")
        return password
