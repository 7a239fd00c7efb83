from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from portal import health
from portal.accounts import views as accounts
from portal.audit import views as audit
from portal.schema import DocsView

api_urls: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    path("v1/", include("cases.api.urls")),
    path("v1/", include("inference.api.urls")),
]

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", accounts.HomeView.as_view(), name="home"),
    path("", include("cases.urls")),
    path("", include("inference.urls")),
    path("account/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("account/logout/", auth.LogoutView.as_view(), name="logout"),
    path("account/password/", accounts.ChangePasswordView.as_view(), name="password_change"),
    path("account/password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("account/research-use/", accounts.ResearchUseView.as_view(), name="research-use"),
    path("account/keyboard/", accounts.KeyboardView.as_view(), name="keyboard"),
    path("account/tokens/", accounts.TokensView.as_view(), name="tokens"),
    path("account/tokens/<str:token_key>/revoke/", accounts.RevokeTokenView.as_view(), name="token-revoke"),
    path("audit/", audit.AuditView.as_view(), name="audit"),
    path("admin/", admin.site.urls),
    path("api/", include((api_urls, "api"))),
]

handler400 = "portal.problems.bad_request"
handler403 = "portal.problems.permission_denied"
handler404 = "portal.problems.not_found"
handler500 = "portal.problems.server_error"
