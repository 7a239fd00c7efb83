"""A migrated database of a benchmark's own, on the private server that scripts/with_services.py starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """Makes the database the default one for the length of the block, then drops it; yields its URL."""
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        said = connection.settings_dict
        yield f"postgres://{said['USER']}:{said['PASSWORD']}@{said['HOST']}:{said['PORT']}/{name}"
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
