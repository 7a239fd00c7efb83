from __future__ import annotations

from django import forms

from portal.accounts.keyboard import ACTIONS


class KeyboardForm(forms.Form):
    """One key for each action; what a key may be is for ``choose_keys`` to say."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for action in ACTIONS:
            field = forms.CharField(label=action.title, max_length=1)
            field.widget.attrs |= {"class": "form-control key-input", "autocomplete": "off", "autocapitalize": "none"}
            self.fields[action.name] = field
