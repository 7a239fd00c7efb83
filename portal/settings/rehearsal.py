"""Processes that tests and benchmarks start: test-sized secrets, files where they are told to be, real connections.

Unlike production these settings allow results to be made up (INFERENCE_STUB_MS).
"""

from __future__ import annotations

from pathlib import Path

from portal.settings.test import *
from portal.settings.test import DATABASES, RUN_LEASE_SECONDS, env

DATABASES["default"]["CONN_MAX_AGE"] = 60
CELERY_BROKER_URL = env("REDIS_URL")
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": RUN_LEASE_SECONDS * 8}
MEDIA_ROOT = Path(env("MEDIA_ROOT"))
