"""One machine, nothing but Python: SQLite, and Celery over the file system. For evaluation and development."""

from __future__ import annotations

from django.core.management.utils import get_random_secret_key

from portal.settings.base import *
from portal.settings.base import STORAGES, VAR_DIR, env

VAR_DIR.mkdir(exist_ok=True)
VAR_DIR.chmod(0o700)  # the database lies in it


def _kept_secret() -> str:
    """A secret key of this machine's own, made at the first start, so that sessions survive a restart."""
    path = VAR_DIR / "secret_key"
    try:
        with path.open("x") as file:
            path.chmod(0o600)
            file.write(get_random_secret_key())
    except FileExistsError:
        pass
    return path.read_text()


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = _kept_secret()
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
EMBEDDED = True

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR_DIR / "portal.sqlite3",
        "OPTIONS": {
            # IMMEDIATE takes the write lock at BEGIN, so the busy timeout applies instead of "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }
}
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True

_QUEUE_DIR = VAR_DIR / "queue"
for _name in ("messages", "control"):
    (_QUEUE_DIR / _name).mkdir(parents=True, exist_ok=True)
CELERY_BROKER_URL = "filesystem://localhost"  # a host that nothing asks for: without one kombu warns
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # One folder both ways: what the web process writes is what the worker reads.
    "data_folder_in": str(_QUEUE_DIR / "messages"),
    "data_folder_out": str(_QUEUE_DIR / "messages"),
    "control_folder": str(_QUEUE_DIR / "control"),
}
