from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count

from portal.accounts.demo import create_demo_users
from portal.supervisor import ProcessEnded, Supervisor

START_SECONDS = 60
POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = "Runs the whole portal on this machine with sample cases: web, one worker and the reaper. Ctrl-C stops it."

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--cxr-dir", type=Path, help="folder of X-rays to submit instead of synthetic phantoms")

    def handle(self, *args, port: int, cxr_dir: Path | None, **options):
        if not settings.EMBEDDED:
            raise CommandError("The demo runs in embedded mode only; unset DJANGO_SETTINGS_MODULE.")
        if cxr_dir is not None and not cxr_dir.is_dir():
            raise CommandError(f"There is no folder {cxr_dir}. CXR_DIR names a folder of JPEG, PNG or DICOM files.")
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
        with (settings.VAR_DIR / "demo.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CommandError("A demo is already running from this folder; stop it with Ctrl-C first.") from error
            self.check_port(port)
            self.prepare()
            try:
                self.run(port, cxr_dir)
            except ProcessEnded as error:
                raise CommandError(str(error)) from error
            except (KeyboardInterrupt, SystemExit):
                self.stdout.write("\nStopped. `make demo` starts again with the same cases.")

    def check_port(self, port: int) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise CommandError(f"Port {port} is taken. Choose another: make demo PORT={port + 1}") from error

    def prepare(self) -> None:
        self.stdout.write("Preparing the database ...")
        call_command("migrate", verbosity=0)
        call_command("register_models", stdout=self.stdout)
        kept_in = settings.VAR_DIR / "demo-users.txt"
        if created := create_demo_users(kept_in):
            self.stdout.write(f"\nUsers (shown once, kept in {shown(kept_in)}):")
            for name, password in created.items():
                self.stdout.write(f"  {name:<12} {password}")
            self.stdout.write("")
        else:
            self.stdout.write(f"Users and passwords are in {shown(kept_in)}.")

    def run(self, port: int, cxr_dir: Path | None) -> None:
        address = f"http://127.0.0.1:{port}"
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings.embedded", "TF_CPP_MIN_LOG_LEVEL": "2"}
        python = sys.executable
        with Supervisor(settings.VAR_DIR / "log", env) as supervisor:
            web = ["-m", "gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "8"]
            supervisor.start("web", [python, *web])
            celery = ["-m", "celery", "-A", "portal", "worker", "--pool", "solo", "--loglevel", "INFO"]
            supervisor.start("worker", [python, *celery, "--queues", settings.INFERENCE_QUEUE])
            supervisor.start("reaper", [python, "manage.py", "reaper"])
            self.await_web(address, supervisor)
            self.stdout.write(self.style.SUCCESS(f"\nThe portal is at {address}   (Ctrl-C stops it)\n"))
            self.submit(cxr_dir)
            self.watch(supervisor)

    def await_web(self, address: str, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            supervisor.check()
            try:
                with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310 - our own loopback address
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(POLL_SECONDS)
        raise CommandError(f"The web process did not answer within {START_SECONDS} s; see var/log/web.log.")

    def submit(self, cxr_dir: Path | None) -> None:
        if cxr_dir is not None:
            call_command("submit_images", cxr_dir, user="submitter", stdout=self.stdout)
        elif not apps.get_model("cases", "Case").objects.exists():
            call_command("submit_images", phantoms=True, user="submitter", stdout=self.stdout)

    def watch(self, supervisor: Supervisor) -> None:
        """Tells how the worker gets on until it is done, then waits for Ctrl-C."""
        runs = apps.get_model("inference", "Run").objects.order_by()
        told = None
        while True:
            supervisor.check()
            counts = dict(runs.values_list("status").annotate(Count("pk")))
            if counts != told and counts:
                unfinished = {"queued", "running"} & counts.keys()
                numbers = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
                self.stdout.write(f"Runs: {numbers}." + ("" if unfinished else " All done."))
                told = counts
            time.sleep(POLL_SECONDS)


def shown(path: Path) -> str:
    """Relative to where the command was typed, if it is below."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
