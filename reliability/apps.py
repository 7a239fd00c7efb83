from __future__ import annotations

from django.apps import AppConfig


class ReliabilityConfig(AppConfig):
    name = "reliability"

    def ready(self) -> None:
        from reliability import faults  # its imports need the models, which are loaded only now

        faults.prepare()
