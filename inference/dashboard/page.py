"""The dashboard's panels in their order, and its tables by their keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cases import labels, truth
from inference.dashboard import accuracy, drift, queue
from inference.dashboard.charts import Chart
from inference.dashboard.comparison import Source
from inference.dashboard.queries import BACKLOG, Figures
from inference.dashboard.scope import REFERENCE
from inference.dashboard.statistics import TOO_FEW
from inference.dashboard.tables import Table

TABLES: dict[str, Callable[[Figures], Table]] = {
    "waiting": queue.waiting_table,
    "states": queue.states_table,
    "flow": queue.flow_table,
    "turnaround": queue.turnaround_table,
    **{f"{versus.key}-matrix": versus.matrix for versus in accuracy.ALL},
    **{f"{versus.key}-groups": versus.groups for versus in accuracy.ALL},
    "refusals": drift.refusals_table,
    "failures": drift.failures_table,
    "drift": drift.drift_table,
    "scores": drift.scores_table,
}


@dataclass(frozen=True)
class Panel:
    """One part of the page.

    Attributes:
        key: Its anchor.
        title: Its heading.
        summary: What it says at a glance; may be empty.
        chart: Its drawing, where there is anything to draw.
        tables: Shown at once.
        folded: Shown on demand.
        notes: What was counted, and what that does not tell.
        is_wide: Takes the page's whole width.
    """

    key: str
    title: str
    summary: str
    chart: Chart | None
    tables: Sequence[Table] = ()
    folded: Sequence[Table] = ()
    notes: Sequence[str] = ()
    is_wide: bool = False


def panels(figures: Figures) -> list[Panel]:
    return [
        _waiting(figures),
        _flow(figures),
        _turnaround(figures),
        *(_versus(versus, figures) for versus in accuracy.ALL),
        _refusals(figures),
        _drift(figures),
    ]


def _waiting(figures: Figures) -> Panel:
    late = sum(one.late + one.very_late for one in figures.waiting)
    total = sum(one.total for one in figures.waiting)
    return Panel(
        "waiting",
        "Waiting now",
        f"{total} not signed, {late} past their target." if total else "Nothing waits.",
        queue.waiting_chart(figures) if total else None,
        tables=[queue.waiting_table(figures)] if total else [],
        folded=[queue.states_table(figures)],
        notes=["All cases that are not signed at this moment, whenever they came in."],
    )


def _flow(figures: Figures) -> Panel:
    return Panel(
        "flow",
        "Received and signed",
        f"{figures.arrivals.total()} received, {figures.signatures.total()} signed in these days.",
        queue.flow_chart(figures),
        folded=[queue.flow_table(figures)],
        notes=[f"Signatures of cases that came in more than {BACKLOG.days} days before the period are not counted."],
    )


def _turnaround(figures: Figures) -> Panel:
    unsigned = queue.unsigned(figures)
    return Panel(
        "turnaround",
        "Turnaround",
        "",
        queue.turnaround_chart(figures),
        tables=[queue.turnaround_table(figures)],
        is_wide=True,
        notes=[
            "AI result: each image received in the period, from its arrival to the AI's conclusion.",
            "Signature: each case received in the period and signed since. "
            f"{unsigned} of the period are not signed yet; when they are, these times will be longer.",
            f"Percentiles by nearest rank, none from under {TOO_FEW}. The upright line is the target.",
        ],
    )


def _refusals(figures: Figures) -> Panel:
    return Panel(
        "refusals",
        "Refusals and failures",
        "",
        drift.refusals_chart(figures),
        tables=[drift.refusals_table(figures), drift.failures_table(figures)],
        notes=[
            "Refusals are counted of signed cases only: they would tell something of a case that waits for its reader."
        ],
    )


def _versus(versus: accuracy.Versus, figures: Figures) -> Panel:
    return Panel(
        versus.key,
        versus.title,
        versus.summary(figures),
        versus.chart(figures),
        tables=[versus.matrix(figures)],
        folded=[versus.groups(figures)],
        notes=[*_bias(versus), *_counted(versus)],
    )


def _bias(versus: accuracy.Versus) -> list[str]:
    if versus.reference is Source.READ:
        return [
            "A reader who saw the AI's answer before signing tends to agree with it: the AI looks better than it is."
        ]
    return [
        "Who is tested is not drawn by chance. Where those whose image looks ill are tested more often, sensitivity "
        "looks better and specificity worse than among all patients (verification bias; C. B. Begg and R. A. Greenes, "
        "Biometrics 39:207, 1983). A negative test does not rule the disease out.",
        truth.RULE,
    ]


def _counted(versus: accuracy.Versus) -> list[str]:
    covid = labels.title(labels.COVID)
    positive = f"a signed {covid}" if versus.reference is Source.READ else "a positive test"
    return [
        f"Sensitivity: of the cases with {positive}, those called {covid}. Specificity: of the others, those called "
        "anything else. Cases of which nothing was said (indeterminate, refused, failed, not diagnostic) are left out "
        "and counted under “No class”.",
        f"Intervals are 95 % (E. B. Wilson, JASA 22:209, 1927). Under {TOO_FEW} cases only counts are shown.",
    ]


def _drift(figures: Figures) -> Panel:
    return Panel(
        "drift",
        "Drift of the AI's answers",
        drift.newest_shift(figures),
        drift.drift_chart(figures),
        tables=[drift.drift_table(figures)],
        folded=[drift.scores_table(figures)],
        notes=[
            "Images of signed cases by the week in which they came in, against those of the "
            f"{REFERENCE.days // 7} weeks before the period (reference).",
            "PSI, the population stability index: the sum over bins of (a − e) · ln(a / e), where a and e are a bin's "
            "shares now and in the reference. Under 0.1 a shift is slight, from 0.25 on it is marked (N. Siddiqi, "
            "Credit Risk Scorecards, 2006). What chance alone explains in 19 of 20 samples of this size is called no "
            "more than chance (B. Yurdakul and J. Naranjo, J. Risk Model Validation 14(4), 2020).",
            "Only signed cases count: of the newest weeks many may still be to read, and those signed first need not "
            "be like the others.",
            *drift.pipelines_note(figures),
            "A shift says that images or patients are others than before, or that the AI or something in front of it "
            "has changed. It does not say that the AI is wrong.",
        ],
        is_wide=True,
    )
