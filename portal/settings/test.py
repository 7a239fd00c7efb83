"""The test suite: production's database and broker (private ones, see scripts/with_services.py), test-sized secrets."""

from __future__ import annotations

import tempfile
from pathlib import Path

from portal.settings.base import *
from portal.settings.base import STORAGES, env
from portal.settings.connections import SHORT_STATEMENTS

DEBUG = False
EMBEDDED = False
SECRET_KEY = "only-for-the-test-suite-and-never-for-anything-else-0123456789"  # noqa: S105 - not a secret
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
DATABASES = {
    "default": env.db("DATABASE_URL", default="postgres://portal@127.0.0.1:5432/portal")
    | {"OPTIONS": {"options": f"{SHORT_STATEMENTS} -c lock_timeout=60s"}}  # who waits for ever fails, and hangs nobody
}
# pytest-xdist runs several processes on one Redis: each has a numbered database of its own, as it has in PostgreSQL.
_XDIST_WORKER = env("PYTEST_XDIST_WORKER", default="gw0").removeprefix("gw")
CELERY_BROKER_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0").rpartition("/")[0] + f"/{_XDIST_WORKER}"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True

_SCRATCH = Path(tempfile.mkdtemp(prefix="cxr-portal-test-"))
MEDIA_ROOT = _SCRATCH / "media"
INTAKE_TMP_DIR = _SCRATCH / "intake"
SITE_WEIGHTS_DIR = _SCRATCH / "weights"
ENGINE_CACHE_DIR = BASE_DIR / ".cache" / "engines"  # named by content, so every process of every run may share it
