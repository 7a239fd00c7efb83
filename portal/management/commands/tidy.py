from __future__ import annotations

from axes.handlers.proxy import AxesProxyHandler
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Deletes sessions that have ended, and the list of logins that lie further back than some days; run it every "
        "night. The audit trail keeps every login."
    )

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=90, help="how long a login stays in the list of axes; 90 days")

    def handle(self, *args, days: int, **options):
        call_command("clearsessions")
        AxesProxyHandler.reset_logs(age_days=days)
