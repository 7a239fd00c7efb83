#!/usr/bin/env python3
"""Run a command beside a private PostgreSQL and a private Redis, then stop both.

    scripts/with_services.py COMMAND [ARGUMENT...]

The command finds them in its environment, as DATABASE_URL and REDIS_URL, and the programs that tests start themselves
as CHROMIUM and NGINX. Both servers listen on free loopback ports, keep nothing, and live in one temporary folder that
holds the command's TMPDIR too; the folder goes when the command ends, however it ends. Programs that are missing are
installed with apt-get when this runs as root on Debian or a relative of it. Standard library only.

The exit status is the command's own; 128 + N when signal N ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60  # a cold disk can make initdb and the first start slow
STOP_SECONDS = 20
PORT_ATTEMPTS = 3  # another process may take a free port between our look and the server's bind
POLL_SECONDS = 0.05
MAX_CONNECTIONS = 400  # tests that let fifty readers act at once run beside each other
DATABASE = "portal"
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class ServiceError(Exception):
    """A service cannot be found, installed or started; the message says why and what to do."""


# Programs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Program:
    """An executable, the names it goes by, and the Debian packages that bring it."""

    names: tuple[str, ...]
    packages: tuple[str, ...]

    def find(self) -> Path | None:
        """Its path: where Debian keeps PostgreSQL's programs, newest version first, or on PATH."""
        for name in self.names:
            debian = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
            if versions := sorted(debian, key=lambda path: int(path.parts[-3])):
                return versions[-1]
            path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"  # where nginx is, for those who are not root
            if found := shutil.which(name, path=path):
                return Path(found)
        return None


@dataclass(frozen=True)
class Library:
    """A shared library that the portal loads, and the Debian packages that bring it."""

    name: str
    packages: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def find(self) -> Path | None:
        try:
            ctypes.CDLL(self.name)
        except OSError:
            return None
        return Path(self.name)


POSTGRES = Program(("postgres",), ("postgresql",))
REDIS = Program(("redis-server", "valkey-server"), ("redis-server",))
CHROMIUM = Program(("chromium", "chromium-browser", "google-chrome"), ("chromium", "fonts-dejavu-core"))
NGINX = Program(("nginx",), ("nginx",))
OPENSSL = Program(("openssl",), ("openssl",))
PANGO = Library(
    "libpangoft2-1.0.so.0", ("libpangoft2-1.0-0", "fonts-dejavu-core")
)  # what WeasyPrint draws reports with
PROGRAMS = (POSTGRES, REDIS, CHROMIUM, NGINX, OPENSSL, PANGO)


def locate() -> dict[Program | Library, Path]:
    """Where each program is, after installing those that are missing.

    Raises:
        ServiceError: Something is missing and cannot be installed from here.
    """
    missing = [program for program in PROGRAMS if program.find() is None]
    if missing:
        install([package for program in missing for package in program.packages])
    found = {program: program.find() for program in PROGRAMS}
    if absent := [program.names[0] for program, path in found.items() if path is None]:
        raise ServiceError(f"Still not found after installing: {', '.join(absent)}.")
    return {program: path for program, path in found.items() if path is not None}


def install(packages: list[str]) -> None:
    """Install Debian packages; as anyone but root, say which ones are needed."""
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ServiceError(f"The tests need programs that are not installed; as root on Debian or Ubuntu: {command}")
    log(f"installing {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with services_left_stopped():
        for step in ("apt-get update -q", f"{command} -q -y"):
            if subprocess.run(step.split(), env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
                raise ServiceError(f"This failed, see above: {step}")


@contextlib.contextmanager
def services_left_stopped() -> Iterator[None]:
    """Debian starts a server on install unless policy-rc.d forbids it; this suite uses only servers of its own."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


# Processes ------------------------------------------------------------------------------------------------------------


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed outright; other systems have nothing of the kind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Server:
    """A server program under our control."""

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path
    stop_signal: signal.Signals

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Poll until the server answers.

        Raises:
            ServiceError: It ended or stayed silent; the message carries the end of its log.
        """
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"{self.name} did not start:\n{self.log_file.read_text()[-2000:]}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ask it to stop, then insist."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def launch(
    name: str,
    command: list[str | Path],
    folder: Path,
    *,
    account: pwd.struct_passwd | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Server:
    """Start a server in a session of its own, so that Ctrl-C reaches it through `stop` only."""
    log_file = folder / f"{name}.log"
    with log_file.open("wb") as log_stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log_stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
            **as_account(account),
        )
    return Server(name, process, log_file, stop_signal)


def as_account(account: pwd.struct_passwd | None) -> dict[str, object]:
    """Keyword arguments that make `subprocess` change to an account; none stays who we are."""
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# PostgreSQL -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def postgresql(binary: Path, folder: Path) -> Iterator[str]:
    """A fresh cluster without durability; yields the URL of its database."""
    account = unprivileged_account()
    folder.mkdir()
    password_file = folder / "password"
    password_file.write_text(secrets.token_hex(16))
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
        os.chown(password_file, account.pw_uid, account.pw_gid)
    who = ["--username", DATABASE, "--auth", "scram-sha-256", "--pwfile", password_file]
    initdb = [binary.with_name("initdb"), "--pgdata", folder / "data", "--encoding", "UTF8", "--locale", "C", *who]
    run_quietly([*initdb, "--no-sync"], folder, account)
    with start_on_free_port(lambda port: start_postgresql(binary, folder, port, account)) as port:
        password = password_file.read_text()
        environment = {**os.environ, "PGPASSWORD": password}
        createdb = [binary.with_name("createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", DATABASE, DATABASE]
        run_quietly(createdb, folder, account, environment)
        yield f"postgres://{DATABASE}:{password}@127.0.0.1:{port}/{DATABASE}"


def unprivileged_account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: the account to use instead, or none when this is not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceError("PostgreSQL does not run as root and there is no account postgres or nobody.")


def start_postgresql(
    binary: Path, folder: Path, port: int, account: pwd.struct_passwd | None, durability: dict[str, str] = NOT_DURABLE
) -> Server:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "max_connections": MAX_CONNECTIONS,
        **durability,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [binary, "-D", folder / "data", *options]
    server = launch("postgresql", command, folder, account=account, stop_signal=signal.SIGINT)  # "fast" shutdown
    is_ready = [binary.with_name("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    with stopped_on_error(server):
        server.wait_until(lambda: subprocess.run(is_ready, check=False).returncode == 0)
    return server


def run_quietly(
    command: list[str | Path],
    folder: Path,
    account: pwd.struct_passwd | None,
    environment: dict[str, str] | None = None,
) -> None:
    """Run a short command; its output matters only when it fails."""
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, **as_account(account)
    )
    if result.returncode:
        raise ServiceError(f"{Path(command[0]).name} failed:\n{result.stdout}{result.stderr}")


# Redis ----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def redis(binary: Path, folder: Path) -> Iterator[str]:
    """An empty Redis without persistence; yields its URL."""
    folder.mkdir()
    with start_on_free_port(lambda port: start_redis(binary, folder, port)) as port:
        yield f"redis://127.0.0.1:{port}/0"


def start_redis(binary: Path, folder: Path, port: int) -> Server:
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder]
    server = launch("redis", [binary, *options], folder)
    with stopped_on_error(server):
        server.wait_until(lambda: redis_answers(port))
    return server


def redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


# Both -----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stopped_on_error(server: Server) -> Iterator[None]:
    try:
        yield
    except BaseException:
        server.stop()
        raise


@contextlib.contextmanager
def start_on_free_port(start: Callable[[int], Server]) -> Iterator[int]:
    """Start a server on a free port, on another when that one was taken meanwhile; yields the port and stops it."""
    for attempt in range(1, PORT_ATTEMPTS + 1):
        port = free_port()
        try:
            server = start(port)
            break
        except ServiceError:
            if attempt == PORT_ATTEMPTS:
                raise
    try:
        yield port
    finally:
        server.stop()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account can pass through, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="cxr-services-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_command(command: list[str], environment: dict[str, str]) -> int:
    """Run the command, passing on the signals that end us.

    Ctrl-C at a terminal reaches the command by itself, as it shares our process group; a second SIGINT from us would
    cut short pytest's own ending.
    """
    child = subprocess.Popen(command, env=environment, preexec_fn=die_with_parent)

    def pass_on(number: int, _frame: object) -> None:
        if number != signal.SIGINT or not sys.stdin.isatty():
            child.send_signal(number)

    for number in STOP_SIGNALS:
        signal.signal(number, pass_on)
    status = child.wait()
    return status if status >= 0 else 128 - status


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    die_with_parent()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        programs = locate()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(temporary_folder())
            scratch = folder / "tmp"
            scratch.mkdir(mode=0o711)
            environment = {
                **os.environ,
                "DATABASE_URL": stack.enter_context(postgresql(programs[POSTGRES], folder / "postgresql")),
                "REDIS_URL": stack.enter_context(redis(programs[REDIS], folder / "redis")),
                "CHROMIUM": str(programs[CHROMIUM]),
                "NGINX": str(programs[NGINX]),
                "TMPDIR": str(scratch),
            }
            stack.callback(ignore_stop_signals)
            return run_command(command, environment)
    except ServiceError as error:
        log(str(error))
        return 1


def ignore_stop_signals() -> None:
    """The stop is under way: a second Ctrl-C must not leave a server running."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def log(message: str) -> None:
    print(f"with_services: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
