"""Exit 0 when the web process of this container answers /readyz. Standard library only."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    # Django answers only to its own host names, so that one of them is asked for.
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    port = os.environ.get("WEB_BIND", "0.0.0.0:8000").rpartition(":")[2]
    connection = HTTPConnection("127.0.0.1", int(port), timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost" if host == "*" else host})
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
