"""`manage.py fit_pipeline`: combine model versions into a pipeline, if that is better than the best of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference import gate, pipelines, registry
from inference.engines import ENGINE_NAMES
from inference.predictor import Predictor
from inference.spec import ModelSpec, PipelineSpec
from inference.training import combining, evaluation
from inference.training.data import DataError, find_files
from inference.training.progress import ProgressBar
from inference.training.provenance import provenance, write_evidence
from inference.training.selective import DEFAULT_RULE, ThresholdRule
from portal.errors import DomainError


class Command(BaseCommand):
    """Judges the validation images once with every member, then fits weights, temperature and thresholds."""

    help = (
        "Fit a pipeline of model versions on validation images: the members' weights, the pipeline's temperature and "
        "when a case is indeterminate. It is written only if it beats its best member there; otherwise the exit "
        "status is not 0. A single member gets thresholds only."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Give --version to the pipeline; Django's own is on `manage.py version`."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """See `BaseCommand.add_arguments`."""
        parser.add_argument("name", help="name of the pipeline, such as ensemble")
        parser.add_argument("--members", nargs="+", required=True, metavar="MODEL", help="model versions")
        parser.add_argument(
            "--data", type=Path, required=True, metavar="DIR", help="validation images, one subfolder per class"
        )
        parser.add_argument("--version", required=True, dest="pipeline_version", help="version of the pipeline")
        parser.add_argument("--folder", type=Path, help="where it is installed (default: with the site's own)")
        parser.add_argument(
            "--default", action="store_true", help="mark it, instead of another in that folder, for new installations"
        )
        parser.add_argument(
            "--mirrored",
            action="store_true",
            help="have every member judge the mirror image as well, which doubles its time; written only if better so",
        )
        parser.add_argument(
            "--target-accuracy",
            type=float,
            default=DEFAULT_RULE.target_accuracy,
            help="accuracy wanted among the cases that are not indeterminate (default: %(default)s)",
        )
        parser.add_argument(
            "--most-unanswered",
            type=float,
            default=DEFAULT_RULE.most_unanswered,
            help="largest share of indeterminate cases (default: %(default)s)",
        )
        parser.add_argument("--engine", default="auto", choices=ENGINE_NAMES, help="default: %(default)s")
        parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap (default: %(default)s)")
        parser.add_argument(
            "--evidence",
            type=Path,
            default=Path("docs/evidence"),
            metavar="DIR",
            help="the fit is kept as DIR/NAME-VERSION/fit.json (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand.handle`."""
        try:
            folder: Path = options["folder"] or registry.own_folder() / pipelines.FOLDER
            rule = ThresholdRule(options["target_accuracy"], options["most_unanswered"])
            members = [registry.model_spec(name) for name in options["members"]]
            trial = _trial(options["name"], options["pipeline_version"], members, folder)
            targets, stacked = evaluation.member_arrays(self._judge(trial, options))
            plain = combining.fit(stacked, targets, rule, options["seed"])
            combination, over_plain = plain, None
            if options["mirrored"]:
                trial = replace(trial, mirrored=True)
                _, both = evaluation.member_arrays(self._judge(trial, options))
                combination = combining.fit(both, targets, rule, options["seed"], mirrored=True)
                over_plain = combining.compare(combination.of(both), plain.of(stacked), targets, options["seed"])
        except (DataError, DomainError, ValueError) as error:
            raise CommandError(str(error)) from error
        if not combination.is_worth_it:
            raise CommandError(_refusal(combination, members))
        if over_plain and not combining.is_better(over_plain):
            raise CommandError(
                f"No pipeline was written: mirror images do not make it better ({_gain(over_plain)}). Fit it without."
            )
        pipeline = _pipeline(trial, combination)
        figures = {"name": pipeline.key} | provenance(members) | {"data": options["data"].resolve().name}
        figures |= {"images": len(targets)} | _figures(pipeline, combination, members, rule)
        figures |= {"gain_over_unmirrored": over_plain}
        write_evidence(figures, options["evidence"] / pipeline.key / "fit.json")
        _install(pipeline, folder, default=options["default"])
        self.stdout.write(_summary(pipeline, combination, over_plain))

    def _judge(self, trial: PipelineSpec, options: dict[str, Any]) -> list[evaluation.FileOutcome]:
        files = find_files(options["data"], trial.labels)
        bar = ProgressBar(len(files.paths), self.stderr)
        return evaluation.judge_files(Predictor(trial, options["engine"]), files, bar.update)


def _trial(name: str, version: str, members: list[ModelSpec], folder: Path) -> PipelineSpec:
    """The members with equal weights, to be judged by; only their own outputs are used.

    Raises:
        DataError: If the pipeline exists, a member is named twice or its scores are not calibrated.
    """
    trial = PipelineSpec(name=name, version=version, members=tuple((spec, 1.0) for spec in members), gate=gate.VERSION)
    if trial.key in pipelines.pipeline_specs() | pipelines.pipeline_specs(folder):
        raise DataError(f"There is a pipeline {trial.key} already; give another --version.")
    if len({spec.name for spec in members}) < len(members):
        raise DataError("A model version is named twice; name every member once.")
    for spec in members:
        if spec.temperature is None:
            raise DataError(f"The scores of {spec.name} are not calibrated; publish it with a temperature first.")
    return trial


def _pipeline(trial: PipelineSpec, combination: combining.Combination) -> PipelineSpec:
    return PipelineSpec(
        name=trial.name,
        version=trial.version,
        members=tuple(
            (spec, weight) for (spec, _), weight in zip(trial.members, combination.weights, strict=True) if weight > 0
        ),
        gate=trial.gate,
        mirrored=trial.mirrored,
        temperature=combination.temperature,
        indeterminate_below=combination.thresholds.indeterminate_below,
        disagreement_above=combination.thresholds.disagreement_above,
    )


def _install(pipeline: PipelineSpec, folder: Path, *, default: bool) -> None:
    """Write the manifest; a new default takes the mark from the one before."""
    if default:
        for other in pipelines.pipeline_specs(folder).values():
            pipelines.write_pipeline(other, folder)
    pipelines.write_pipeline(pipeline, folder, default=default)


def _figures(
    pipeline: PipelineSpec, combination: combining.Combination, members: list[ModelSpec], rule: ThresholdRule
) -> dict[str, Any]:
    return {
        "gate": pipeline.gate,
        "rules": {
            "weights": combining.WEIGHTS_RULE,
            "temperature": combining.TEMPERATURE_RULE,
            "thresholds": str(rule),
            "shipping": combining.SHIPPING_RULE,
        },
        "weighting": combination.weighting,
        "temperature": combination.temperature,
        "thresholds": asdict(combination.thresholds),
        "members": [
            {"model": spec.name, "weight": weight} | figures
            for spec, weight, figures in zip(members, combination.weights, combination.members, strict=True)
        ],
        "combined": combination.combined,
        "best_member": members[combination.best_member].name,
        "gain_over_best_member": combination.gain,
    }


def _refusal(combination: combining.Combination, members: list[ModelSpec]) -> str:
    best = members[combination.best_member].name
    return (
        f"No pipeline was written: on these images it does not beat {best} alone ({_gain(combination.gain)}; weights "
        f"{_weights(members, combination)}). Serve {best} by itself, or add a member that errs elsewhere."
    )


def _gain(gain: dict[str, Any]) -> str:
    low, high = gain["accuracy_ci95"]
    return (
        f"accuracy {gain['accuracy']:+.4f}, 95 % {low:+.4f} to {high:+.4f}; cross-entropy {gain['cross_entropy']:+.4f}"
    )


def _summary(pipeline: PipelineSpec, combination: combining.Combination, over_plain: dict[str, Any] | None) -> str:
    thresholds = combination.thresholds
    lines = [
        f"{pipeline.key}: "
        + ", ".join(f"{spec.name} {weight:.4f}" for spec, weight in pipeline.members)
        + f" ({combination.weighting}), temperature {pipeline.temperature:g}",
        f"accuracy {combination.combined['accuracy']:.4f}; indeterminate under {thresholds.indeterminate_below:g} or "
        f"with a spread over {thresholds.disagreement_above:g}, which leaves {100 * thresholds.answered:.1f} % with an "
        f"accuracy of {thresholds.accuracy:.4f}",
    ]
    if len(combination.weights) > 1:
        lines.append(f"over its best member: {_gain(combination.gain)}")
    if over_plain:
        lines.append(f"over the same without mirror images: {_gain(over_plain)}")
    lines.append("Make it known with `manage.py register_models`.")
    return "\n".join(lines)


def _weights(members: list[ModelSpec], combination: combining.Combination) -> str:
    return ", ".join(f"{spec.name} {weight:g}" for spec, weight in zip(members, combination.weights, strict=True))
