"""The reading order: what it promises over random arrivals, and that the database orders as the arithmetic does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases.claims import claim_next_case
from cases.lanes import ReadingOrder, arm_now, reorder
from cases.models import Case, OrderArm, Priority
from cases.order import LONGEST_WAITING, Rules, is_ai_day
from cases.services import CaseDetails, PatientDetails, open_case
from cases.summary import AiOutcome, AiStatus, show_ai_outcomes
from cases.tests.factories import CaseFactory, PatientFactory
from portal.accounts import facilities
from portal.accounts.models import Facility, User

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = Rules(
    targets={1: 30 * MINUTE, 2: 60 * MINUTE, 3: 120 * MINUTE},
    longest_waits={1: 40 * MINUTE, 2: 90 * MINUTE, 3: 150 * MINUTE},
    ai_weight=1.0,
)  # short beside the time that a read takes below, so that many a drawn day passes them

arrivals = st.lists(
    st.tuples(
        st.integers(0, 60),  # minutes since the one before
        st.sampled_from([1, 2, 3]),
        st.none() | st.floats(0, 1),
        st.integers(20, 120),  # minutes that its reader needs
    ),
    min_size=3,
    max_size=60,
)


class Waiting:
    """A case of the simulated day; ``place`` is asked of the code under test."""

    def __init__(self, number: int, received_at: datetime, priority: int, suspicion: float | None, minutes: int):
        self.number, self.received_at, self.priority, self.minutes = number, received_at, priority, minutes
        self.ranks_as_of = RULES.ranks_as_of(priority=priority, received_at=received_at, suspicion=suspicion)

    def place(self, now: datetime):
        return RULES.place(
            priority=self.priority,
            received_at=self.received_at,
            ranks_as_of=self.ranks_as_of,
            number=self.number,
            now=now,
        )

    def is_capped(self, now: datetime) -> bool:
        return now - self.received_at >= RULES.longest_waits[self.priority]


def day_of(drawn) -> list[tuple[datetime, Waiting, list[Waiting]]]:
    """(when, who is read, who waits on) of one reader who always takes the next case."""
    moment, coming = START, []
    for number, (gap, priority, suspicion, minutes) in enumerate(drawn):
        moment += gap * MINUTE
        coming.append(Waiting(number, moment, priority, suspicion, minutes))
    now, waiting, served = START, [], []
    while coming or waiting:
        while coming and (coming[0].received_at <= now or not waiting):
            now = max(now, coming[0].received_at)
            waiting.append(coming.pop(0))
        chosen = min(waiting, key=lambda case: case.place(now))
        waiting.remove(chosen)
        served.append((now, chosen, list(waiting)))
        now += chosen.minutes * MINUTE
    return served


@given(arrivals)
def test_nobody_is_read_before_somebody_who_has_waited_for_the_longest_wait(drawn):
    for now, chosen, waiting in day_of(drawn):
        capped = [case for case in waiting if case.is_capped(now)]
        if capped:
            assert chosen.is_capped(now)


@given(arrivals)
def test_those_who_have_waited_for_so_long_are_read_first_come_first_served(drawn):
    for now, chosen, waiting in day_of(drawn):
        if chosen.is_capped(now):
            capped = [case for case in waiting if case.is_capped(now)]
            assert all((chosen.received_at, chosen.number) < (case.received_at, case.number) for case in capped)


@given(arrivals)
def test_nobody_starves(drawn):
    """Once past the longest wait, a case waits for nobody but those who came before it."""
    served = day_of(drawn)
    for now, case, _ in served:
        before = [
            other
            for then, other, waiting in served
            if then < now and case in waiting and case.is_capped(then) and other.number > case.number
        ]
        assert before == []


@given(arrivals)
def test_the_ai_moves_a_case_within_its_priority_and_by_no_more_than_its_target(drawn):
    for now, chosen, waiting in day_of(drawn):
        for case in waiting:
            if not chosen.is_capped(now):
                assert chosen.priority <= case.priority
                if chosen.priority == case.priority:
                    assert chosen.received_at <= case.received_at + 2 * RULES.targets[case.priority]


def test_an_undecided_ai_moves_nothing():
    for suspicion in (None, 0.5):
        moved = RULES.ranks_as_of(priority=3, received_at=START, suspicion=suspicion)
        assert (moved or START) == START


def test_the_days_of_a_trial_are_drawn_evenly_and_can_be_drawn_again():
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(400)]

    drawn = [is_ai_day("a facility", day) for day in days]

    assert drawn == [is_ai_day("a facility", day) for day in days]
    assert 160 < sum(drawn) < 240
    assert drawn != [is_ai_day("another", day) for day in days]


# In the database -----------------------------------------------------------------------------------------------------


@pytest.fixture
def weighed(facility) -> Facility:
    """A facility in which the AI has its whole weight."""
    facility.ai_order_weight = 1
    facility.save()
    return facility


def conclude(case: Case, suspicion: float) -> None:
    """What the AI side calls when a run has ended."""
    label, probability = ("normal", 1 - suspicion) if suspicion < 0.5 else ("covid", suspicion)
    outcome = AiOutcome(AiStatus.READY, label, probability, suspicion)
    show_ai_outcomes([case.pk], lambda _: {case.pk: [outcome]})


def in_order(facility: Facility) -> list[int]:
    return ReadingOrder.of(facility).first(Case.objects.filter(facility=facility), 100)


@pytest.mark.django_db
class TestDatabase:
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=st.lists(
            st.tuples(
                st.sampled_from([1, 2, 3]),
                st.integers(0, 6000),
                st.none() | st.floats(0, 1),
                st.sampled_from(["", "ai", "plain"]),
            ),
            max_size=25,
        ),
        weight=st.sampled_from([0, 0.5, 1]),
        size=st.integers(1, 9),
    )
    def test_orders_as_the_arithmetic_does_page_by_page(self, facility, rows, weight, size):
        patient, sender = PatientFactory(facility=facility), facility.users.first() or User.objects.first()
        with transaction.atomic():
            facility.ai_order_weight = weight
            facility.save()
            sender = CaseFactory(patient=patient).submitted_by if sender is None else sender
            Case.objects.all().delete()
            now = timezone.now()
            Case.objects.bulk_create(
                Case(
                    facility=facility,
                    patient=patient,
                    submitted_by=sender,
                    priority=priority,
                    received_at=now - minutes * MINUTE,
                    order_arm=arm,
                    **({} if suspicion is None else ready(suspicion)),
                )
                for priority, minutes, suspicion, arm in rows
            )
            reorder(facility)
            order = ReadingOrder.of(facility)
            expected = [case.pk for case in sorted(Case.objects.all(), key=order.place)]

            found, beyond = [], None
            while page := order.first(Case.objects.all(), size, beyond=beyond):
                found += page
                beyond = order.place(Case.objects.get(pk=page[-1]))
            back = order.first(Case.objects.all(), 100, beyond=beyond, backwards=True) if found else []

            assert found == expected
            assert back == expected[-2::-1]
            transaction.set_rollback(True)

    def test_the_settings_of_a_facility_are_the_rules(self, facility):
        now = timezone.now()
        facility.routine_maximum_minutes, facility.routine_target_minutes = 60, 30
        facility.save()
        long = CaseFactory(patient__facility=facility, received_at=now - timedelta(minutes=61))
        stat = CaseFactory(patient__facility=facility, received_at=now, priority=Priority.STAT)

        assert in_order(facility) == [long.pk, stat.pk]
        assert ReadingOrder.of(facility).place(long)[0] == LONGEST_WAITING

    def test_a_result_moves_its_case(self, weighed):
        now = timezone.now()
        early, late = (CaseFactory(patient__facility=weighed, received_at=now - h * timedelta(hours=1)) for h in (2, 1))

        conclude(late, 0.9)
        assert in_order(weighed) == [late.pk, early.pk]

        conclude(early, 0.95)
        assert in_order(weighed) == [early.pk, late.pk]

        conclude(early, 0.02)
        assert in_order(weighed) == [late.pk, early.pk]

    def test_a_result_that_is_taken_back_moves_it_back(self, weighed):
        case = CaseFactory(patient__facility=weighed)
        conclude(case, 0.9)

        show_ai_outcomes([case.pk], lambda _: {case.pk: [AiOutcome(AiStatus.QUEUED)]})

        case.refresh_from_db()
        assert (case.ranks_as_of, case.ai_suspicion) == (None, None)

    def test_a_batch_of_results_costs_the_same_for_one_case_and_for_thirty(self, weighed, django_assert_num_queries):
        cases = CaseFactory.create_batch(30, patient__facility=weighed)

        def results(of):
            return lambda _: {
                case.pk: [AiOutcome(AiStatus.READY, "covid", 0.6 + number / 100, 0.6 + number / 100)]
                for number, case in enumerate(of)
            }

        with django_assert_num_queries(3):
            show_ai_outcomes([cases[0].pk], results(cases[:1]))
        with django_assert_num_queries(3):
            show_ai_outcomes([case.pk for case in cases[1:]], results(cases[1:]))

    def test_an_administrator_who_changes_the_weight_moves_what_waits(self, client_of, administrator, weighed):
        now = timezone.now()
        early, late = (CaseFactory(patient__facility=weighed, received_at=now - h * timedelta(hours=1)) for h in (2, 1))
        conclude(late, 0.9)
        said = {field.name: getattr(weighed, field.name) for field in Facility._meta.fields}
        said = {name: value for name, value in said.items() if name.endswith("minutes")}
        said |= {"name": weighed.name, "is_active": "on", "ai_order_weight": "0", "double_read_percent": "0"}

        response = client_of(administrator).post(reverse("admin:accounts_facility_change", args=[weighed.pk]), said)

        assert response.status_code == 302
        assert in_order(Facility.objects.get(pk=weighed.pk)) == [early.pk, late.pk]

    def test_blind_readers_get_the_order_without_the_ai_at_once(self, weighed, radiologist):
        """Whatever stands on the cases: a weight is never asked for while readers read blind."""
        now = timezone.now()
        early, late = (CaseFactory(patient__facility=weighed, received_at=now - h * timedelta(hours=1)) for h in (2, 1))
        conclude(late, 0.9)

        Facility.objects.update(blind_first_read=True)

        assert in_order(Facility.objects.get(pk=weighed.pk)) == [early.pk, late.pk]
        assert claim_next_case(reader=User.objects.get(pk=radiologist.pk)) == early

    def test_nothing_of_the_ai_is_kept_as_an_order_for_blind_readers(self, weighed):
        weighed.blind_first_read = True
        weighed.save()
        case = CaseFactory(patient__facility=weighed)

        conclude(case, 0.9)
        facilities.settings_changed(weighed)

        assert Case.objects.get(pk=case.pk).ranks_as_of is None

    def test_a_cold_start_moves_what_was_concluded_while_readers_read_blind(self, weighed):
        weighed.blind_first_read = True
        weighed.save()
        now = timezone.now()
        early, late = (CaseFactory(patient__facility=weighed, received_at=now - h * timedelta(hours=1)) for h in (2, 1))
        conclude(late, 0.9)

        weighed.blind_first_read = False
        weighed.save()
        facilities.settings_changed(weighed)

        assert in_order(weighed) == [late.pk, early.pk]

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ({"routine_target_minutes": 0}, "facility_longest_wait_is_no_less_than_target"),
            ({"stat_maximum_minutes": 29}, "facility_longest_wait_is_no_less_than_target"),
            ({"routine_maximum_minutes": 525_601}, "facility_longest_wait_is_at_most_a_year"),
            ({"ai_order_weight": 1.1}, "facility_ai_order_weight_in_unit"),
            ({"ai_order_trial": True, "ai_order_weight": 0}, "facility_trial_needs_ai_in_the_order"),
            ({"ai_order_trial": True, "blind_first_read": True}, "facility_trial_needs_ai_in_the_order"),
        ],
    )
    def test_settings_that_cannot_be_are_refused(self, facility, change, name):
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            Facility.objects.filter(pk=facility.pk).update(**change)

    def test_the_longest_waits_that_can_be_set_keep_the_worklist_working(self, facility, radiologist, client_of):
        year = {field.name: 525_600 for field in Facility._meta.fields if field.name.endswith("_minutes")}
        Facility.objects.update(**year)
        case, client = CaseFactory(patient__facility=facility), client_of(radiologist)

        assert case.get_absolute_url() in client.get(reverse("cases:worklist")).text
        assert client.post(reverse("cases:claim-next")).url == case.get_absolute_url()


@pytest.mark.django_db
class TestTrial:
    @pytest.fixture
    def trial(self, weighed) -> Facility:
        weighed.ai_order_trial = True
        weighed.save()
        return weighed

    def test_a_case_keeps_the_arm_of_the_day_on_which_it_came(self, trial, submitter, api_of):
        details = PatientDetails("MRN-1")
        user = User.objects.get(pk=submitter.pk)

        case, _ = open_case(patient=details, details=CaseDetails(), actor=user)

        assert case.order_arm == arm_now(trial) != ""
        answer = api_of(submitter).get(reverse("api:case-detail", args=[case.uid]))
        assert answer.json()["order_arm"] == case.order_arm

    def test_without_a_trial_there_is_no_arm(self, weighed, submitter):
        case, _ = open_case(patient=PatientDetails("MRN-1"), details=CaseDetails(), actor=submitter)

        assert case.order_arm == ""

    def test_the_plain_arm_is_ordered_without_the_ai(self, trial):
        now = timezone.now()
        early = CaseFactory(patient__facility=trial, received_at=now - timedelta(hours=2), order_arm=OrderArm.PLAIN)
        late = CaseFactory(patient__facility=trial, received_at=now - timedelta(hours=1), order_arm=OrderArm.PLAIN)
        moved = CaseFactory(patient__facility=trial, received_at=now, order_arm=OrderArm.AI)
        for case in (late, moved):
            conclude(case, 0.9)
        reorder(trial)

        assert in_order(trial) == [moved.pk, early.pk, late.pk]


def ready(suspicion: float) -> dict:
    label, probability = ("normal", 1 - suspicion) if suspicion < 0.5 else ("covid", suspicion)
    return {"ai_status": "ready", "ai_label": label, "ai_probability": probability, "ai_suspicion": suspicion}
