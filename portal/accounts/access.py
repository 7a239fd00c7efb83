"""Who may do what: the one table that pages, API, admin, docs and the generated role x route test all read.

Closed by default: a route that is not in ``ROUTES`` answers nobody, and a role has only what ``ROLE_ACTIONS`` gives it.
Actions are Django permission strings, so ``user.has_perm(Action.REVIEW_CASE)`` and the admin read the same table.
"""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator", "Administrator"
    LEAD = "lead", "Lead radiologist"
    RADIOLOGIST = "radiologist", "Radiologist"
    SUBMITTER = "submitter", "Submitter"
    AUDITOR = "auditor", "Auditor"


class Action(StrEnum):
    VIEW_CASE = "cases.view_case"
    ADD_CASE = "cases.add_case"
    CHANGE_PRIORITY = "cases.change_case"
    ADD_LAB_RESULT = "cases.add_labresult"
    CORRECT_PATIENT = "cases.change_patient"
    WITHDRAW_LAB_RESULT = "cases.change_labresult"
    REVIEW_CASE = "cases.review_case"
    TAKE_OVER_CASE = "cases.take_over_case"
    ADJUDICATE_CASE = "cases.adjudicate_case"
    AMEND_READ_OF_OTHERS = "cases.amend_read_of_others"
    COMPARE_READS = "cases.compare_reads"
    VIEW_DASHBOARD = "inference.view_dashboard"
    REMOVE_SHARED_FILTER = "cases.delete_savedfilter"
    RETRY_RUN = "inference.retry_run"
    VIEW_MODEL = "inference.view_modelversion"
    OWN_TOKENS = "accounts.own_tokens"
    VIEW_AUDIT = "audit.view_auditevent"
    ACCESS_ADMIN = "accounts.access_admin"


_READER = {
    Action.VIEW_CASE,
    Action.ADD_CASE,
    Action.CHANGE_PRIORITY,
    Action.ADD_LAB_RESULT,
    Action.REVIEW_CASE,
    Action.RETRY_RUN,
    Action.VIEW_MODEL,
    Action.OWN_TOKENS,
}
ROLE_ACTIONS: dict[Role, frozenset[str]] = {
    Role.RADIOLOGIST: frozenset(_READER),
    Role.LEAD: frozenset(
        _READER
        | {
            Action.TAKE_OVER_CASE,
            Action.ADJUDICATE_CASE,
            Action.AMEND_READ_OF_OTHERS,
            Action.CORRECT_PATIENT,
            Action.WITHDRAW_LAB_RESULT,
            Action.COMPARE_READS,
            Action.VIEW_DASHBOARD,
            Action.REMOVE_SHARED_FILTER,
        }
    ),
    Role.SUBMITTER: frozenset(
        {
            Action.VIEW_CASE,
            Action.ADD_CASE,
            Action.CHANGE_PRIORITY,
            Action.ADD_LAB_RESULT,
            Action.VIEW_MODEL,
            Action.OWN_TOKENS,
        }
    ),
    Role.AUDITOR: frozenset({Action.VIEW_AUDIT, Action.VIEW_MODEL}),
    # Manages people, places, tokens and models; sees no patient data unless a group is given that permission.
    Role.ADMINISTRATOR: frozenset(
        {Action.ACCESS_ADMIN, Action.VIEW_MODEL}
        | {f"accounts.{verb}_{model}" for verb in ("view", "add", "change") for model in ("user", "facility")}
        | {f"auth.{verb}_group" for verb in ("view", "add", "change", "delete")}
        | {"accounts.view_noticeacceptance"}
        | {"knox.view_authtoken", "knox.delete_authtoken"}
        | {"axes.view_accessattempt", "axes.delete_accessattempt"}
        | {f"inference.view_{model}" for model in ("network", "modelversion", "pipeline", "pipelinemember")}
        | {"inference.change_pipeline"}
    ),
}


class Anyone(StrEnum):
    """Rules that no role decides."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"


Rule = Action | Anyone
Rules = Rule | dict[str, Rule]

# Route name -> rule, or rule by HTTP method. "admin:*" covers Django admin, which checks model permissions itself.
ROUTES: dict[str, Rules] = {
    "healthz": Anyone.PUBLIC,
    "readyz": Anyone.PUBLIC,
    "login": Anyone.PUBLIC,
    "logout": Anyone.PUBLIC,  # whose session has ended is signed out, too
    "password_change": Anyone.SIGNED_IN,
    "password_change_done": Anyone.SIGNED_IN,
    "home": Anyone.SIGNED_IN,
    "research-use": Anyone.SIGNED_IN,
    "keyboard": Anyone.SIGNED_IN,
    "tokens": Action.OWN_TOKENS,
    "token-revoke": Action.OWN_TOKENS,
    "audit": Action.VIEW_AUDIT,
    "admin:*": Action.ACCESS_ADMIN,
    "cases:worklist": Action.VIEW_CASE,
    "cases:claim-next": Action.REVIEW_CASE,
    "cases:case": Action.VIEW_CASE,
    "cases:filter-save": Action.VIEW_CASE,
    "cases:filter-remove": Action.VIEW_CASE,
    "cases:claim": Action.REVIEW_CASE,
    "cases:claim-renew": Action.REVIEW_CASE,
    "cases:take-over": Action.TAKE_OVER_CASE,
    "cases:release": Action.REVIEW_CASE,
    "cases:first-impression": Action.REVIEW_CASE,
    "cases:review": Action.REVIEW_CASE,
    "cases:verdict": Action.REVIEW_CASE,
    "cases:sign": Action.REVIEW_CASE,
    "cases:macro-list": Action.REVIEW_CASE,
    "cases:macro": Action.REVIEW_CASE,
    "cases:macro-delete": Action.REVIEW_CASE,
    "cases:amend": Action.REVIEW_CASE,
    "cases:discard-amendment": Action.REVIEW_CASE,
    "cases:upload": Action.ADD_CASE,
    "cases:change-priority": Action.CHANGE_PRIORITY,
    "cases:correct-patient": Action.CORRECT_PATIENT,
    "cases:lab-result-add": Action.ADD_LAB_RESULT,
    "cases:lab-result-withdraw": Action.WITHDRAW_LAB_RESULT,
    "cases:lab-import": Action.ADD_LAB_RESULT,
    "cases:radiograph-preview": Action.VIEW_CASE,
    "cases:radiograph-original": Action.VIEW_CASE,
    "cases:radiograph-pixels": Action.VIEW_CASE,
    "inference:results": Action.VIEW_CASE,
    "inference:heatmap": Action.VIEW_CASE,
    "inference:report": Action.VIEW_CASE,
    "inference:report-pdf": Action.VIEW_CASE,
    "inference:run-retry": Action.RETRY_RUN,
    "inference:switching": Action.COMPARE_READS,
    "inference:dashboard": Action.VIEW_DASHBOARD,
    "inference:dashboard-table": Action.VIEW_DASHBOARD,
    "inference:agreement": Action.COMPARE_READS,
    "inference:model-list": Action.VIEW_MODEL,
    "inference:model": Action.VIEW_MODEL,
    "api:schema": Anyone.SIGNED_IN,
    "api:docs": Anyone.SIGNED_IN,
    "api:patient-list": {"GET": Action.VIEW_CASE, "POST": Action.ADD_CASE},
    "api:patient-detail": Action.VIEW_CASE,
    "api:patient-lab-results": {"GET": Action.VIEW_CASE, "POST": Action.ADD_LAB_RESULT},
    "api:lab-result-import": Action.ADD_LAB_RESULT,
    "api:case-list": {"GET": Action.VIEW_CASE, "POST": Action.ADD_CASE},
    "api:case-detail": {"GET": Action.VIEW_CASE, "PATCH": Action.CHANGE_PRIORITY},
    "api:case-report": Action.VIEW_CASE,
    "api:case-images": {"GET": Action.VIEW_CASE, "POST": Action.ADD_CASE},
    "api:batch-list": {"GET": Action.VIEW_CASE, "POST": Action.ADD_CASE},
    "api:batch-detail": Action.VIEW_CASE,
    "api:radiograph-detail": Action.VIEW_CASE,
    "api:radiograph-preview": Action.VIEW_CASE,
    "api:run-list": Action.VIEW_CASE,
    "api:run-detail": Action.VIEW_CASE,
    "api:run-retry": Action.RETRY_RUN,
    "api:heatmap-image": Action.VIEW_CASE,
    "api:model-list": Action.VIEW_MODEL,
    "api:model-detail": Action.VIEW_MODEL,
}


def rule_for(view_name: str, method: str) -> Rule | None:
    """The rule of a route, or None for a route nobody listed (which is then refused)."""
    namespace = view_name.partition(":")[0]
    rules = ROUTES.get(view_name, ROUTES.get(f"{namespace}:*"))
    if isinstance(rules, dict):
        return rules.get("GET" if method in {"HEAD", "OPTIONS"} else method)
    return rules


def allows(rule: Rule | None, user) -> bool:
    """Whether ``user`` (possibly anonymous) passes ``rule``; None passes nobody."""
    if rule is None:
        return False
    if rule is Anyone.PUBLIC:
        return True
    if not (user.is_authenticated and user.may_come_in):
        return False
    return rule is Anyone.SIGNED_IN or user.has_perm(rule)
