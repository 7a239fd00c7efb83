"""Processes that tests and benchmarks start: test-sized secrets, files where they are told to be, real connections.

Unlike production these settings allow results to be made up (INFERENCE_STUB_MS).
"""

from __future__ import annotations

from pathlib import Path

from portal.settings import connections
from portal.settings.test import *
from portal.settings.test import env

DATABASES = {"default": connections.database()}
CELERY_BROKER_URL = env("REDIS_URL")
CELERY_BROKER_CONNECTION_TIMEOUT = connections.BROKER_CONNECTION_TIMEOUT
CELERY_BROKER_TRANSPORT_OPTIONS = connections.BROKER_TRANSPORT_OPTIONS
MEDIA_ROOT = Path(env("MEDIA_ROOT"))
