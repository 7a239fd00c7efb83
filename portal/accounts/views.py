from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.views import PasswordChangeView, RedirectURLMixin
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.views import View
from django.views.generic import FormView, TemplateView
from knox.models import get_token_model

from portal.accounts.access import allows, rule_for
from portal.accounts.forms import KeyboardForm, NewTokenForm, OwnPasswordForm
from portal.accounts.keyboard import choose_keys, keys_of, reset_keys
from portal.accounts.models import NoticeAcceptance
from portal.accounts.notice import VERSION, accept_notice
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError


class HomeView(View):
    """Sends everybody to the first page that is for their role."""

    PAGES = ("cases:worklist", "audit", "admin:index", "password_change")

    def get(self, request):
        return redirect(next(name for name in self.PAGES if allows(rule_for(name, "GET"), request.user)))


class ResearchUseView(RedirectURLMixin, TemplateView):
    """The research-use notice; accepting it leads on to where the user was going."""

    template_name = "accounts/research_use.html"
    next_page = "home"

    def get_context_data(self, **kwargs):
        accepted = NoticeAcceptance.objects.filter(user=self.request.user.pk, version=VERSION).first()
        return super().get_context_data(**kwargs, version=VERSION, accepted=accepted, next=self.get_redirect_url())

    def post(self, request):
        accept_notice(user=request.user, request=request)
        return redirect(self.get_success_url())


class KeyboardView(FormView):
    """The user's own keys, or back to the usual ones."""

    template_name = "accounts/keyboard.html"
    form_class = KeyboardForm
    success_url = reverse_lazy("keyboard")

    def get_initial(self):
        return keys_of(self.request.user)

    def post(self, request, *args, **kwargs):
        if "usual_keys" not in request.POST:
            return super().post(request, *args, **kwargs)
        reset_keys(user=request.user)
        messages.success(request, "You have the usual keys again.")
        return redirect("keyboard")

    def form_valid(self, form):
        try:
            choose_keys(user=self.request.user, keys=form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
            return self.form_invalid(form)
        messages.success(self.request, "Your keys are kept.")
        return super().form_valid(form)


class ChangePasswordView(RedirectURLMixin, PasswordChangeView):
    """The user's own password; whoever had to choose one first goes on to where they were going."""

    form_class = OwnPasswordForm
    next_page = "password_change_done"

    @transaction.atomic
    def form_valid(self, form):
        answer = super().form_valid(form)
        record(Event.CHANGED_PASSWORD, actor=form.user, obj=form.user, request=self.request)
        return answer


class TokensView(TemplateView):
    """The user's own API tokens. A new one is shown once; the database keeps only its hash."""

    template_name = "accounts/tokens.html"

    def get_context_data(self, **kwargs):
        tokens = get_token_model().objects.filter(user=self.request.user).order_by("-created")
        return super().get_context_data(**{"form": NewTokenForm(request=self.request), "tokens": tokens} | kwargs)

    def post(self, request, *args, **kwargs):
        form = NewTokenForm(request.POST, request=request)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=400)
        with transaction.atomic():
            _, token = get_token_model().objects.create(user=request.user)
            record(Event.CREATED_TOKEN, actor=request.user, obj=request.user, request=request)
        return self.render_to_response(self.get_context_data(new_token=token))


class RevokeTokenView(View):
    @transaction.atomic
    def post(self, request, token_key: str):
        get_object_or_404(get_token_model(), user=request.user, token_key=token_key).delete()
        record(Event.REVOKED_TOKEN, actor=request.user, obj=request.user, request=request)
        messages.success(request, "The token no longer works.")
        return redirect("tokens")
