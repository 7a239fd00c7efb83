"""The dashboard's figures, from cases whose numbers are known, and who may see them."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time, timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from cases.models import Case, Priority
from cases.tests.factories import PatientFactory
from inference.dashboard.comparison import Cell, Comparison, Source
from inference.dashboard.page import TABLES
from inference.dashboard.queries import Figures, Waiting
from inference.dashboard.scope import Scope
from inference.models import Pipeline
from inference.tests.factories import PipelineFactory
from inference.tests.hospital import case_of, fill, judged, lab_result, radiograph_of, signed
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 29)  # four whole weeks from a Monday on
NOON = timezone.make_aware(datetime.combine(FIRST, time(12)))
PAGE = "inference:dashboard"


@pytest.fixture
def pipeline() -> Pipeline:
    return PipelineFactory(name="covidnet8", version="9")


@pytest.fixture
def figures(lead):
    """Asks the database anew each time."""

    def asked(first=FIRST, last=LAST, pipeline: Pipeline | None = None) -> Figures:
        return Figures(Scope(Case.objects.visible_to(lead), lead.facility, first, last, pipeline))

    return asked


@pytest.fixture
def arrive(facility, submitter):
    """A case that came in at noon of a day of the period, with one image."""

    def arrived(day: int = 0, *, view="PA", **fields) -> Case:
        case = case_of(facility, submitter, received=NOON + timedelta(days=day), **fields)
        radiograph_of(case, view=view)
        return case

    return arrived


@pytest.fixture
def read(arrive, pipeline, radiologist, submitter):
    """A signed case, with the AI's answer and perhaps a lab result."""

    def signed_case(ai: str, label: str, lab: str = "", *, day: int = 0, doubt="", probability=0.9, **fields) -> Case:
        case = arrive(day, **fields)
        judged(case.radiographs.get(), pipeline, ai, doubt=doubt, probability=probability)
        signed(case, radiologist, label)
        if lab:
            lab_result(case, submitter, lab)
        return case

    return signed_case


def rows_of(response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


class TestQueue:
    def test_cases_wait_within_past_and_far_past_their_target(self, figures, facility, submitter, radiologist):
        now = timezone.now()
        for minutes in (10, 40, 70):  # the target of a stat case is half an hour
            case_of(facility, submitter, received=now - timedelta(minutes=minutes), priority=Priority.STAT)
        oldest = now - timedelta(hours=47)
        case_of(facility, submitter, received=oldest)
        signed(case_of(facility, submitter, received=now - timedelta(days=9)), radiologist, "normal")

        assert figures().waiting == [
            Waiting(1, in_time=1, late=1, very_late=1, in_review=0, oldest=now - timedelta(minutes=70)),
            Waiting(3, in_time=0, late=1, very_late=0, in_review=0, oldest=oldest),
        ]

    def test_arrivals_and_signatures_are_counted_on_their_days(self, figures, arrive, radiologist):
        signed(arrive(-2), radiologist, "normal", after=timedelta(days=2))  # came before the period, signed in it
        signed(arrive(0), radiologist, "normal", after=timedelta(days=3))
        signed(arrive(27), radiologist, "normal", after=timedelta(days=3))  # signed after it
        arrive(28)

        found = figures()

        assert found.arrivals == {FIRST: 1, LAST: 1}
        assert found.signatures == {FIRST: 1, FIRST + timedelta(days=3): 1}

    def test_the_time_to_signature_is_told_by_priority(self, figures, arrive, radiologist):
        for minutes in range(1, 21):
            signed(arrive(priority=Priority.URGENT), radiologist, "normal", after=timedelta(minutes=minutes * 15))
        arrive(priority=Priority.URGENT)

        (urgent,) = figures().time_to_signature

        assert (urgent.priority, urgent.total, urgent.in_time) == (Priority.URGENT, 20, 16)
        assert [urgent.at[percent] / timedelta(minutes=15) for percent in (50, 90, 95)] == [10, 18, 19]

    def test_the_time_to_the_result_counts_predictions_and_refusals_alike(self, figures, arrive, pipeline):
        for seconds, answer in ((10, "covid"), (20, "refused"), (99, "failed")):
            judged(arrive().radiographs.get(), pipeline, answer, seconds=seconds)

        (routine,) = figures().time_to_result

        assert (routine.total, routine.at[95]) == (2, timedelta(seconds=20))


class TestComparison:
    def test_a_signed_case_is_one_count_with_all_that_divides_it(self, figures, read):
        read("covid", "pneumonia", "positive", view="AP", sex="M", birth_date=date(1986, 3, 3))

        assert figures().ai_cells == [
            Cell("covidnet8 9", "18 to 39", "M", "AP", ai="covid", read="pneumonia", truth="positive", count=1)
        ]
        assert figures().read_cells == figures().ai_cells

    @pytest.mark.parametrize(
        ("born", "band"),
        [
            (date(2008, 3, 3), "0 to 17"),
            (date(2008, 3, 2), "18 to 39"),
            (date(1946, 3, 3), "60 to 79"),
            (date(1946, 3, 2), "80 and over"),
            (date(2026, 3, 3), "Unknown"),
            (None, "Unknown"),
        ],
    )
    def test_ages_are_completed_years_on_the_day_the_case_came_in(self, figures, read, born, band):
        read("covid", "covid", birth_date=born)

        assert [cell.age for cell in figures().ai_cells] == [band]

    def test_what_names_no_class_is_told_apart(self, figures, read):
        read("refused", "normal")
        read("failed", "normal")
        read("covid", "normal", doubt="low_probability")

        assert {cell.ai for cell in figures().ai_cells} == {"refused", "failed", "indeterminate"}

    def test_the_least_reassuring_image_stands_for_its_case(self, figures, read, pipeline):
        case = read("normal", "covid")
        judged(radiograph_of(case, view="AP"), pipeline, "covid", probability=0.6)
        judged(radiograph_of(case, view="AP"), pipeline, "refused")

        (cell,) = figures().ai_cells

        assert (cell.ai, cell.view, cell.count) == ("covid", "AP", 1)

    def test_a_case_without_the_ai_counts_for_the_readers_only(self, figures, arrive, radiologist, submitter):
        case = arrive(view="AP")
        signed(case, radiologist, "covid")
        lab_result(case, submitter, "positive")

        comparison = Comparison(figures().read_cells, Source.READ, Source.TRUTH)

        assert figures().ai_cells == []
        assert [(group.label, group.covid.hits) for group in comparison.by("view")] == [("AP", 1)]

    def test_a_shadow_pipeline_speaks_only_where_it_is_asked_for(self, figures, read):
        case = read("normal", "covid")
        shadow = PipelineFactory(name="other", version="1", status=Pipeline.Status.SHADOW)
        judged(case.radiographs.get(), shadow, "covid")

        assert [cell.ai for cell in figures().ai_cells] == ["normal"]
        assert [cell.count for cell in figures().read_cells] == [1]
        assert [(cell.pipeline, cell.ai) for cell in figures(pipeline=shadow).ai_cells] == [("other 1", "covid")]

    def test_cases_that_wait_of_other_days_or_of_another_facility_are_not_counted(
        self, figures, read, arrive, pipeline, outsider
    ):
        judged(arrive().radiographs.get(), pipeline, "covid")
        read("covid", "covid", day=-1)
        read("covid", "covid", day=28)
        elsewhere = case_of(outsider.facility, outsider, received=NOON)
        judged(radiograph_of(elsewhere), pipeline, "covid")
        signed(elsewhere, outsider, "covid")

        assert figures().ai_cells == figures().read_cells == []


class TestDrift:
    def test_answers_are_counted_by_week_and_before_the_period(self, figures, read):
        read("covid", "covid", day=-1, probability=0.97)
        read("normal", "normal", day=0, probability=0.45)
        read("refused", "normal", day=6)
        read("covid", "normal", day=7, doubt="disagreement")

        found = figures().outcomes

        assert set(found) == {None, FIRST, FIRST + timedelta(days=7)}
        assert (found[None].answers, found[None].scores) == ({"covid": 1}, {6: 1})
        assert (found[FIRST].answers, found[FIRST].scores) == ({"normal": 1, "refused": 1}, {0: 1})
        assert found[FIRST].refusals == {"lateral_view": 1}
        assert found[FIRST + timedelta(days=7)].answers == {"indeterminate": 1}

    def test_refusals_of_cases_that_wait_are_not_counted_but_their_failures_are(self, figures, arrive, pipeline):
        for answer in ("refused", "failed"):
            judged(arrive().radiographs.get(), pipeline, answer)

        assert figures().outcomes == {}
        assert figures().failures == {"": 1, "A stored image file is damaged.": 1}

    def test_the_page_says_in_words_that_the_scores_have_shifted(self, client_of, lead, read):
        for number in range(25):
            read("covid", "covid", day=-10, probability=0.97)
            read("covid", "covid", day=number % 7, probability=0.55)

        page = client_of(lead).get(reverse(PAGE), {"first": FIRST, "last": LAST}).content.decode()

        words = "Week from 2026-03-02: shift of the scores marked: find out why; of the classes no more than chance."
        assert words in page
        assert "Several model versions" not in page

    def test_the_page_says_that_a_shift_may_come_from_a_change_of_the_model_version(
        self, client_of, lead, arrive, read, radiologist
    ):
        read("covid", "covid", day=-10)
        older = PipelineFactory(name="standard", version="3", status=Pipeline.Status.RETIRED)
        case = arrive()
        judged(case.radiographs.get(), older, "normal")
        signed(case, radiologist, "normal")
        asked = {"first": FIRST, "last": LAST}

        both = client_of(lead).get(reverse(PAGE), asked).content.decode()
        one = client_of(lead).get(reverse(PAGE), asked | {"pipeline": older.uid}).content.decode()

        assert "in the reference and in these weeks: covidnet8 9, standard 3." in both
        assert "Several model versions" not in one


class TestPage:
    @pytest.fixture
    def hospital(self, facility, submitter, radiologist, colleague, pipeline) -> None:
        fill(facility, submitter, [radiologist, colleague], pipeline, cases=120)

    def test_it_is_for_leads_and_leaves_an_audit_row(self, client_of, lead, radiologist, administrator, hospital):
        page = client_of(lead).get(reverse(PAGE))

        assert page.status_code == 200
        assert [panel.key for panel in page.context["panels"]] == [
            "waiting", "flow", "turnaround", "ai-read", "ai-lab", "read-lab", "refusals", "drift",
        ]  # fmt: skip
        event = AuditEvent.objects.latest("id")
        assert (event.event, event.actor, event.facility) == ("viewed_dashboard", lead, lead.facility)
        for other in (radiologist, administrator):
            assert client_of(other).get(reverse(PAGE)).status_code == 403

    def test_nothing_in_it_is_styled_inline_and_every_chart_is_told_in_words(self, client_of, lead, hospital):
        page = client_of(lead).get(reverse(PAGE))
        body = page.content.decode()

        assert "style=" not in body
        charts = sum(panel.chart is not None for panel in page.context["panels"])
        assert body.count('role="img"') == body.count("<desc") == charts

    def test_somebody_without_a_facility_sees_an_empty_page(self, client_of, administrator, hospital):
        group = Group.objects.create(name="Everything")
        group.permissions.set(Permission.objects.all())
        administrator.groups.add(group)

        page = client_of(administrator).get(reverse(PAGE))

        assert "Nothing waits." in page.content.decode()

    def test_more_cases_cost_no_more_queries(self, client_of, lead, facility, submitter, radiologist, pipeline):
        client, numbers = client_of(lead), []
        for seed in (1, 2):
            fill(facility, submitter, [radiologist], pipeline, cases=40, seed=seed)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(reverse(PAGE)).status_code == 200
            numbers.append(len(queries))

        assert len(set(numbers)) == 1
        assert numbers[0] <= 20

    @pytest.mark.parametrize(
        "asked",
        [
            {"first": "2026-03-29", "last": "2026-03-02"},
            {"first": "2020-01-01", "last": "2026-03-02"},
            {"last": "0001-01-01"},
            {"last": "9999-12-31"},
            {"first": "yesterday"},
            {"pipeline": "none"},
        ],
    )
    def test_a_period_without_sense_is_refused_in_words(self, client_of, lead, asked):
        client = client_of(lead)

        page = client.get(reverse(PAGE), asked)

        assert page.status_code == 200
        assert page.context["form"].errors
        assert (page.context["scope"].last - page.context["scope"].first).days == 29
        assert client.get(reverse("inference:dashboard-table"), {"table": "flow", **asked}).status_code == 400

    def test_the_period_and_the_pipeline_are_what_was_asked_for(self, client_of, lead, read, pipeline):
        read("covid", "covid")

        asked = {"first": FIRST, "last": LAST, "pipeline": pipeline.uid}
        page = client_of(lead).get(reverse(PAGE), asked)

        scope = page.context["scope"]
        assert (scope.first, scope.last, scope.pipeline) == (FIRST, LAST, pipeline)
        assert f"pipeline={pipeline.uid}" in page.content.decode()


class TestTables:
    def ask(self, client, key: str, **asked):
        return client.get(reverse("inference:dashboard-table"), {"table": key, "first": FIRST, "last": LAST, **asked})

    @pytest.mark.parametrize("key", TABLES)
    def test_each_table_is_a_file_for_leads_and_leaves_an_audit_row(self, client_of, lead, radiologist, read, key):
        read("covid", "covid", "positive")

        response = self.ask(client_of(lead), key)

        assert response["Content-Type"].startswith("text/csv")
        assert f'filename="{key}_2026-03-02_2026-03-29.csv"' in response["Content-Disposition"]
        head, *rows = rows_of(response)
        assert {len(row) for row in rows} <= {len(head)}
        event = AuditEvent.objects.latest("id")
        assert (event.event, event.actor, event.detail) == ("viewed_dashboard", lead, f"downloaded {key}")
        assert self.ask(client_of(radiologist), key).status_code == 403

    def test_shares_are_plain_numbers_with_their_interval_once_there_are_enough(self, client_of, lead, read):
        for number in range(20):
            read("covid" if number else "normal", "covid", "positive")

        head, everything, *_ = rows_of(self.ask(client_of(lead), "ai-lab-groups"))

        row = dict(zip(head, everything, strict=True))
        assert row["Group"] == "St. Roch Hospital"
        assert [row[f"Sensitivity: {part}"] for part in ("count", "of", "share")] == ["19", "20", "0.95"]
        assert (row["Sensitivity: 95 % from"], row["Sensitivity: 95 % to"]) == ("0.7639", "0.9911")
        assert (row["Specificity: of"], row["Specificity: share"]) == ("0", "")

    def test_a_name_that_is_a_formula_stays_a_text(self, client_of, lead, facility, read):
        facility.name = '=HYPERLINK("http://example.org")'
        facility.save()
        read("covid", "covid")

        head, everything, *_ = rows_of(self.ask(client_of(lead), "ai-read-groups"))

        assert everything[head.index("Group")] == '\'=HYPERLINK("http://example.org")'

    def test_an_unknown_table_is_refused(self, client_of, lead):
        assert self.ask(client_of(lead), "patients").status_code == 400


def test_nothing_of_a_patient_is_in_any_of_it(client_of, lead, facility, read):
    patient = PatientFactory(facility=facility, family_name="Lovelace", medical_record_number="MRN-SECRET")
    case = read("covid", "covid", "positive")
    Case.objects.filter(pk=case.pk).update(patient=patient, accession_number="ACC-SECRET")
    client, asked = client_of(lead), {"first": FIRST, "last": LAST}

    tables = [client.get(reverse("inference:dashboard-table"), {"table": key, **asked}) for key in TABLES]
    bodies = [answer.content.decode() for answer in (client.get(reverse(PAGE), asked), *tables)]

    for secret in ("Lovelace", "SECRET", str(case.uid), str(patient.uid)):
        assert all(secret not in body for body in bodies)
