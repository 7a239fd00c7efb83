from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "portal.accounts"
    label = "accounts"
    verbose_name = "People and places"

    def ready(self) -> None:
        from portal.accounts import sessions  # noqa: F401 - hears of every sign-in
