"""Classes by their codes: which there are, how they read, and which one reassures.

Classes belong to the model versions. Inference registers the function that knows them, as it does in ``dispatch``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cases.models import Case

ClassesOf = Callable[["Case | None"], Iterable[str]]

REASSURING = "normal"
"""Any other class draws a case's summary to itself, see ``summary``."""

COVID = "covid"
"""The class that a lab result speaks for or against, see ``truth``."""

OTHER, NOT_DIAGNOSTIC = "other", "not_diagnostic"
"""What a reader may conclude beside the classes that the models know."""

_WITHOUT_MODELS = ("covid", "normal", "pneumonia")  # a hospital whose AI is off reads and signs all the same
_TITLES = {"ards": "ARDS", "copd": "COPD", "tb": "Tuberculosis"}
_classes_of: ClassesOf | None = None


def register(classes_of: ClassesOf) -> None:
    """Names the function that gives the classes of a case's pipelines, or of all where it is given None."""
    global _classes_of
    _classes_of = classes_of


def classes(case: Case | None = None) -> list[str]:
    """Class codes, each once, those of the active pipeline first.

    Args:
        case: Only classes of the active pipeline and of those that have judged this case; None for every class that a
            case may have been given.
    """
    known = dict.fromkeys(_classes_of(case) if _classes_of else ())
    return list(known) or list(_WITHOUT_MODELS)


def read_labels(case: Case) -> list[str]:
    """Codes that a reader of ``case`` may choose from."""
    return list(dict.fromkeys([*classes(case), OTHER, NOT_DIAGNOSTIC]))


def title(code: str) -> str:
    """How a class code reads: "tuberculosis" as "Tuberculosis", "no_finding" as "No finding"."""
    words = code.replace("_", " ")
    return _TITLES.get(code, words[:1].upper() + words[1:])
