from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from inference.catalogue import register_shipped_models
from portal.errors import DomainError


class Command(BaseCommand):
    help = "Registers the model versions in inference/weights; the first one becomes the active pipeline."

    def handle(self, *args, **options):
        try:
            added = register_shipped_models()
        except DomainError as error:
            raise CommandError(str(error)) from error
        for version in added:
            self.stdout.write(f"Registered {version}.")
        if not added:
            self.stdout.write("All model versions are registered already.")
