"""Everything a reader can ask of worklist, case page and the API's case list."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from urllib.parse import urlencode

from django.urls import reverse

from cases.filters import Tab
from cases.models import AiStatus, Case
from cases.worklist import SORTS, Order, cursor_of, orders
from portal.accounts.models import User

WORKLIST, CASE_PAGE, API = "worklist", "case", "api"
Request = tuple[str, str, str]
_LIST, _API_LIST = reverse("cases:worklist"), reverse("api:case-list")

FILTERS = (
    {"priority": 1},
    {"due": "overdue"},
    {"due": "longest"},
    {"ai": "failed"},
    {"ai": "running"},
    {"label": "covid"},
    {"label": "covid", "priority": 1},
)


def requests_of(reader: User, random: Random, case_pages: int) -> Iterator[Request]:
    """(page, what is asked, address) for a reader; the same random numbers ask for the same."""
    cases = Case.objects.visible_to(reader).select_related("patient")
    keys = list(cases.order_by("pk").values_list("pk", flat=True))
    middle, awaiting = cases.get(pk=keys[len(keys) // 2]), cases.awaiting_review().order_by("pk")
    yield from _worklist(middle, awaiting[awaiting.count() // 2 :].first() or middle)
    yield from _api(cases, cases.get(pk=keys[len(keys) // 2]))
    for number, pk in enumerate(random.choices(keys[-len(keys) // 2 :], k=case_pages)):
        yield CASE_PAGE, f"number {number}", cases.get(pk=pk).get_absolute_url()


def _worklist(middle: Case, waiting: Case) -> Iterator[Request]:
    patient = middle.patient
    searches = {
        "a family name": patient.family_name or "Kleinhofen",
        "two names": f"{patient.given_name} {patient.family_name}".strip() or "Ada Kleinhofen",
        "part of many names": "klein",
        "two letters": "li",
        "a record number": patient.medical_record_number,
        "the start of every record number": "MRN-0",
        "an accession number": middle.accession_number,
        "the start of every accession number": "acc",
        "nobody": "zzqx",
    }
    for tab in Tab:
        for sort, order in orders(middle.facility, is_unsigned=tab.is_unsigned).items():
            yield from _pages(tab, sort, order, middle if not tab.is_unsigned else waiting)
    for tab, narrowed in product((Tab.AWAITING, Tab.MINE, Tab.ALL), FILTERS):
        name = ", ".join(f"{key} {value}" for key, value in narrowed.items())
        yield _request(WORKLIST, f"{tab.label}, {name}", _LIST, {"status": tab.value, **narrowed})
    for tab, (name, words) in product((Tab.AWAITING, Tab.MINE, Tab.ALL), searches.items()):
        yield _request(WORKLIST, f"{tab.label}, search for {name}", _LIST, {"status": tab.value, "q": words})


def _pages(tab: Tab, sort: str, order: Order, middle: Case) -> Iterator[Request]:
    """The first page of an order, the one behind a case and the one before it."""
    chosen = {"status": tab.value, "sort": sort}
    yield _request(WORKLIST, f"{tab.label} by {order.title}", _LIST, chosen)
    deep = {**chosen, "at": cursor_of(middle, order)}
    yield _request(WORKLIST, f"{tab.label} by {order.title}, deep", _LIST, deep)
    back = {**chosen, "at": cursor_of(middle, order, backwards=True)}
    yield _request(WORKLIST, f"{tab.label} by {order.title}, deep and back", _LIST, back)


def _api(cases, middle: Case) -> Iterator[Request]:
    moment = middle.received_at.isoformat()
    chosen = {
        "everything": {},
        "200 rows": {"page_size": 200},
        "a deep page": {"cursor": cursor_of(middle, SORTS["newest"])},
        "a deep page backwards": {"cursor": cursor_of(middle, SORTS["newest"], backwards=True)},
        "before a moment": {"received_before": moment},
        "after a moment": {"received_after": moment},
        "a patient": {"patient": middle.patient.uid},
        "an accession number": {"accession_number": middle.accession_number},
        "signed and urgent": {"status": "signed", "priority": "urgent"},
        **{f"status {status}": {"status": status} for status in Case.Status.values},
        **{f"AI status {status}": {"ai_status": status} for status in AiStatus.values},
        **{f"priority {name}": {"priority": name} for name in ("stat", "urgent", "routine")},
    }
    for name, parameters in chosen.items():
        yield _request(API, name, _API_LIST, parameters)


def _request(page: str, name: str, path: str, parameters: dict) -> Request:
    return page, name, f"{path}?{urlencode(parameters)}"
