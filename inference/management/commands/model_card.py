"""`manage.py model_card`: model cards and the comparison of all models, from the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import pipelines, registry
from inference.spec import ModelSpec, PipelineSpec
from inference.training.cards.comparison import comparison
from inference.training.cards.evidence import CardError, Described, describe
from inference.training.cards.page import card
from portal.errors import DomainError


class Command(BaseCommand):
    """Writes `<docs>/models/<name>.md` and `<docs>/evidence/README.md`; what nobody measured is said to be so."""

    help = (
        "Write model cards from manifests and evidence, and the page that compares them with what is shipped. A "
        "hand-written <name>.notes.md beside a card is included in it, and data.notes.md in every card."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("names", nargs="*", metavar="NAME", help="model versions or pipelines, such as covidnet8-1")
        parser.add_argument("--all", action="store_true", help="a card for everything shipped")
        parser.add_argument(
            "--docs", type=Path, default=Path("docs"), help="folder with models/ and evidence/ (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        if bool(options["names"]) == options["all"]:
            raise CommandError("Name model versions or pipelines, or give --all.")
        models, evidence = options["docs"] / "models", options["docs"] / "evidence"
        try:
            known = shipped(evidence)
            known |= {name: describe(_installed(name), evidence) for name in options["names"] if name not in known}
            pages = {models / f"{name}.md": card(known[name], models) for name in options["names"] or known}
            pages[evidence / "README.md"] = comparison(list(known.values()))
        except (CardError, DomainError) as error:
            raise CommandError(str(error)) from error
        for path, text in pages.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            self.stdout.write(str(path))


def shipped(evidence: Path) -> dict[str, Described]:
    """Everything shipped by name: model versions, then pipelines that are more; `evidence` is where figures lie."""
    found: list[ModelSpec | PipelineSpec] = [*registry.model_specs(registry.WEIGHTS_DIR).values()]
    found += [spec for spec in pipelines.pipeline_specs(pipelines.PIPELINES_DIR).values() if not spec.is_one_model]
    return {described.name: described for described in (describe(what, evidence) for what in found)}


def _installed(name: str) -> ModelSpec | PipelineSpec:
    """A model version or pipeline of this installation; a pipeline that is one model version has its card."""
    pipeline = pipelines.find_pipeline(name)
    return registry.model_spec(name) if pipeline.is_one_model else pipeline
