"""How production, and the processes that rehearse it, talk to PostgreSQL and Redis."""

from __future__ import annotations

from portal.settings.base import RUN_LEASE_SECONDS, env

SHORT_STATEMENTS = "-c max_parallel_workers_per_gather=0 -c jit=off"
"""A page asks for a few rows: starting a second process or a compiler for them costs more than reading them."""

_SECONDS_TO_CONNECT = 3
_TIMEOUTS = "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000"
_BROKER_SECONDS = 2


def database() -> dict:
    """The settings of the database: connections that notice a dead or silent server within seconds.

    What the address itself asks for, such as ``?sslmode=verify-full``, is kept.
    """
    address = env.db("DATABASE_URL")
    milliseconds = 1000 * env.int("DATABASE_STATEMENT_SECONDS", default=15)
    return address | {
        "CONN_MAX_AGE": env.int("DATABASE_CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": address.get("OPTIONS", {})
        | {
            "connect_timeout": _SECONDS_TO_CONNECT,
            "options": f"{SHORT_STATEMENTS} {_TIMEOUTS} -c statement_timeout={milliseconds}",
            # A server that vanished with its machine sends no goodbye.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20000,
        },
    }


BROKER_CONNECTION_TIMEOUT = _BROKER_SECONDS
BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": RUN_LEASE_SECONDS * 8,
    # What a killed worker had not acknowledged comes back one look after that; a wake-up is doubled without harm.
    "unacked_restore_interval": RUN_LEASE_SECONDS,
    "unacked_restore_throttle": 1,
    "socket_timeout": _BROKER_SECONDS,
    "socket_connect_timeout": _BROKER_SECONDS,
    "retry_on_timeout": False,
}
