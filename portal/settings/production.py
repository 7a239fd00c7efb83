"""PostgreSQL, Redis, nginx in front. Does not start without what only a site knows; .env.example lists all settings."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from portal.settings import connections
from portal.settings.base import *
from portal.settings.base import INFERENCE_STUB_MS, S3_BUCKET, env

DEBUG = False
EMBEDDED = False
SECRET_KEY = env("SECRET_KEY")
TIME_ZONE = env("TIME_ZONE")  # a default would be the wrong hour on every report, and nobody would notice
for _name, _value in {"SECRET_KEY": SECRET_KEY, "TIME_ZONE": TIME_ZONE}.items():
    if not _value:  # Django itself would notice at the first page that needs it only
        raise ImproperlyConfigured(f"Set the {_name} environment variable: it is empty.")
if INFERENCE_STUB_MS is not None:
    raise ImproperlyConfigured("Unset INFERENCE_STUB_MS: it makes results up.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

DATABASES = {"default": connections.database()}

CELERY_BROKER_URL = env("REDIS_URL")
CELERY_BROKER_CONNECTION_TIMEOUT = connections.BROKER_CONNECTION_TIMEOUT
CELERY_BROKER_TRANSPORT_OPTIONS = connections.BROKER_TRANSPORT_OPTIONS

MEDIA_SERVING = env("MEDIA_SERVING", default="signed-url" if S3_BUCKET else "x-accel")
if MEDIA_SERVING not in ("django", "signed-url" if S3_BUCKET else "x-accel"):
    raise ImproperlyConfigured("MEDIA_SERVING is x-accel or django for a folder, signed-url or django for a bucket.")

# TLS ends at nginx, which sets X-Forwarded-Proto. SECURE_SSL=false serves an intranet without it (not recommended).
SECURE_SSL = env.bool("SECURE_SSL", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = SECURE_SSL
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SESSION_COOKIE_SECURE = SECURE_SSL
CSRF_COOKIE_SECURE = SECURE_SSL
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31536000) if SECURE_SSL else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_SSL
SECURE_HSTS_PRELOAD = SECURE_SSL

# axes locks out by the client's address: the one entry of X-Forwarded-For, as nginx replaces what came by what it sees.
AXES_IPWARE_PROXY_COUNT = 0
AXES_IPWARE_META_PRECEDENCE_ORDER = ["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"]
