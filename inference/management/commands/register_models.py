from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from inference.activation import activate_pipeline
from inference.catalogue import register_shipped_models
from inference.models import Pipeline
from portal.errors import DomainError


class Command(BaseCommand):
    help = (
        "Registers the model versions and pipelines that are installed. A new installation starts with the default "
        "pipeline; one that runs keeps the pipeline it has until somebody makes another one active."
    )

    def add_arguments(self, parser):
        parser.add_argument("--activate", metavar="PIPELINE", help="then make this pipeline active, such as standard-3")

    def handle(self, *args, activate: str | None, **options):
        try:
            registered = register_shipped_models()
        except DomainError as error:
            raise CommandError(str(error)) from error
        for version in registered.versions:
            self.stdout.write(f"Registered {version}.")
        for pipeline in registered.pipelines:
            self.stdout.write(f"Registered the pipeline {pipeline}.")
        if not registered.versions and not registered.pipelines:
            self.stdout.write("All model versions and pipelines are registered already.")
        if activate:
            try:
                active = activate_pipeline(_pipeline(activate), actor=None)
            except DomainError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"The pipeline {active} judges new images from now on.")
        elif registered.active != registered.default:
            self.stdout.write(
                f"The pipeline {registered.active} stays active. New installations start with {registered.default}: to "
                f"change over, run register_models --activate {registered.default.key} or choose it under /admin/."
            )


def _pipeline(key: str) -> Pipeline:
    known = {pipeline.key: pipeline for pipeline in Pipeline.objects.all()}
    if key not in known:
        raise CommandError(f"There is no pipeline {key}; there is {', '.join(sorted(known))}.")
    return known[key]
