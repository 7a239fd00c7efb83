from __future__ import annotations

import pytest
from django.urls import reverse

from cases.claims import ClaimedByAnother, claim_case, claim_next_case, release_case
from cases.eligibility import NotYourRead
from cases.models import Case, Review, Stage
from cases.reading import save_review, sign_case
from cases.second_reads import draw
from cases.tests.factories import CaseFactory, RadiographFactory, UserFactory
from cases.tests.test_services import at_once
from portal.accounts.access import Role
from portal.accounts.models import Facility

WORKLIST = reverse("cases:worklist")


def with_rules(facility: Facility, **rules) -> Facility:
    Facility.objects.filter(pk=facility.pk).update(**rules)
    facility.refresh_from_db()
    return facility


@pytest.fixture
def twice(facility) -> Facility:
    """Every case is read twice."""
    return with_rules(facility, double_read_percent=100)


@pytest.fixture
def case(twice) -> Case:
    return RadiographFactory(case__patient__facility=twice).case


@pytest.fixture
def third(facility):
    return UserFactory(username="third", facility=facility)


def read(case: Case, reader, label: str, **more) -> Review:
    return sign_case(case=case, reader=reader, final_label=label, findings=f"{label} by {reader.username}", **more)


def now(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


def standing(case: Case) -> tuple[str, str]:
    case = now(case)
    return case.status, case.stage


@pytest.mark.django_db
class TestWhatComesNext:
    def test_without_rules_the_first_read_ends_the_case(self, facility, radiologist):
        case = CaseFactory(patient__facility=facility)
        read(case, radiologist, "covid")

        assert standing(case) == ("signed", "first")

    def test_a_signed_first_read_goes_back_into_the_queue(self, case, radiologist):
        read(case, radiologist, "covid")

        assert standing(case) == ("to_read", "second")
        assert (now(case).claimed_by, now(case).signed_by) == (None, None)

    def test_of_two_reads_that_agree_the_first_counts(self, case, radiologist, colleague):
        first = read(case, radiologist, "covid")
        second = read(case, colleague, "covid")

        assert standing(case) == ("signed", "second")
        assert now(case).signed_by == radiologist
        assert list(Review.objects.in_force()) == [first]
        assert second.stage == Stage.SECOND

    def test_of_two_that_differ_a_leads_counts(self, case, radiologist, colleague, lead):
        read(case, radiologist, "covid")
        read(case, colleague, "normal")
        assert standing(case) == ("to_read", "adjudication")

        final = read(case, lead, "pneumonia")

        assert standing(case) == ("signed", "adjudication")
        assert now(case).signed_by == lead
        assert list(Review.objects.in_force()) == [final]

    def test_nothing_counts_before_the_end(self, case, radiologist, colleague):
        for reader, label in ((radiologist, "covid"), (colleague, "normal")):
            read(case, reader, label)
            assert not Review.objects.in_force().exists()

    def test_a_draft_from_before_the_first_signature_goes_on_as_the_second_read(self, case, radiologist, colleague):
        save_review(case=case, reader=colleague, findings="Mine")
        release_case(case=case, actor=colleague)
        read(case, radiologist, "covid")

        save_review(case=case, reader=colleague, final_label="covid")

        draft = Review.objects.get(reader=colleague)
        assert (draft.findings, draft.stage) == ("Mine", Stage.SECOND)


@pytest.mark.django_db
class TestRules:
    @pytest.mark.parametrize(
        ("ai", "label", "rules", "is_twice"),
        [
            ({"ai_status": "ready", "ai_label": "covid", "ai_probability": 0.9}, "normal", {"ai_disagrees"}, True),
            ({"ai_status": "ready", "ai_label": "covid", "ai_probability": 0.9}, "covid", {"ai_disagrees"}, False),
            ({"ai_status": "ready", "ai_label": "covid", "ai_probability": 0.9}, "normal", set(), False),
            ({"ai_status": "indeterminate"}, "normal", {"ai_disagrees"}, False),
            ({"ai_status": "indeterminate"}, "normal", {"ai_indeterminate"}, True),
            ({"ai_status": "refused"}, "normal", {"ai_disagrees", "ai_indeterminate"}, False),
        ],
    )
    def test_what_the_ai_said_decides(self, facility, radiologist, ai, label, rules, is_twice):
        with_rules(facility, **{f"double_read_if_{rule}": True for rule in rules})
        case = CaseFactory(patient__facility=facility, **ai)

        read(case, radiologist, label)

        assert standing(case) == (("to_read", "second") if is_twice else ("signed", "first"))

    def test_about_the_share_is_drawn_and_the_same_at_every_asking(self, settings):
        cases = [Case() for _ in range(2000)]
        drawn = [draw(case) for case in cases]

        assert all(0 <= number < 1 for number in drawn)
        assert 0.17 < sum(number < 0.2 for number in drawn) / len(drawn) < 0.23
        assert [draw(case) for case in cases] == drawn
        settings.SECRET_KEY = "another"
        assert [draw(case) for case in cases] != drawn

    def test_the_draw_decides_when_the_first_read_is_signed(self, facility, radiologist):
        with_rules(facility, double_read_percent=50)
        for _ in range(8):
            case = CaseFactory(patient__facility=facility)
            read(case, radiologist, "normal")
            assert (now(case).stage == Stage.SECOND) == (draw(case) < 0.5)

    def test_the_administrator_sets_them(self, client_of, administrator, facility):
        change = reverse("admin:accounts_facility_change", args=[facility.pk])
        client = client_of(administrator)
        form = client.get(change).context["adminform"].form
        said = {name: value for name, value in form.initial.items() if value is not None and value is not False}

        client.post(change, said | {"double_read_percent": "15", "double_read_if_ai_disagrees": "on"})
        facility.refresh_from_db()
        assert (facility.double_read_percent, facility.double_read_if_ai_disagrees) == (15, True)

        client.post(change, said | {"double_read_percent": "101"})
        facility.refresh_from_db()
        assert facility.double_read_percent == 15


@pytest.mark.django_db
class TestWhoMay:
    @pytest.fixture
    def cast(self, radiologist, colleague, third, lead):
        return {"first": radiologist, "second": colleague, "third": third, "lead": lead}

    @pytest.mark.parametrize(
        ("stage", "readers"), [("second", {"second", "third", "lead"}), ("adjudication", {"lead"})]
    )
    def test_claims_keep_to_who_may_read(self, case, cast, stage, readers):
        read(case, cast["first"], "covid")
        if stage == "adjudication":
            read(case, cast["second"], "normal")
        for name, user in cast.items():
            if name in readers:
                assert claim_next_case(reader=user) == case
                release_case(case=case, actor=user)
            else:
                assert claim_next_case(reader=user) is None
                for write in (claim_case, save_review, read):
                    with pytest.raises(NotYourRead):
                        write(case, user, "normal") if write is read else write(case=case, reader=user)

    def test_a_lead_who_gave_one_of_the_two_does_not_decide(self, case, radiologist, lead, facility):
        read(case, radiologist, "covid")
        read(case, lead, "normal")

        with pytest.raises(NotYourRead, match="another lead radiologist decides"):
            claim_case(case=case, reader=lead)
        read(case, UserFactory(role=Role.LEAD, facility=facility), "normal")
        assert now(case).status == Case.Status.SIGNED

    def test_the_next_case_passes_over_what_waits_for_somebody_else(self, twice, case, radiologist):
        read(case, radiologist, "covid")
        later = CaseFactory(patient__facility=twice)

        assert claim_next_case(reader=radiologist) == later

    @pytest.mark.parametrize(
        ("reader", "sentence"),
        [
            ("first", "A second read is due, by a colleague who does not see yours."),
            ("second", "Start reading"),
            ("lead", "A colleague has read this case."),
        ],
    )
    def test_the_page_of_a_case_that_awaits_its_second_read_says_so(self, client_of, case, cast, reader, sentence):
        read(case, cast["first"], "covid")

        page = client_of(cast[reader]).get(case.get_absolute_url()).content.decode()

        assert sentence in page
        assert ("covid by radiologist" in page) == (reader == "first")
        assert ('action="' + reverse("cases:amend", args=[case.uid]) in page) is False

    @pytest.mark.parametrize(
        ("reader", "sentence"),
        [
            ("first", "It differs from the other read."),
            ("third", "The two reads of this case differ; a lead radiologist decides."),
            ("lead", "Two reads that differ"),
        ],
    )
    def test_so_does_the_page_of_one_whose_reads_differ(self, client_of, case, cast, reader, sentence):
        read(case, cast["first"], "covid")
        read(case, cast["second"], "normal")

        page = client_of(cast[reader]).get(case.get_absolute_url()).content.decode()

        assert sentence in page
        assert ("normal by colleague" in page) == (reader == "lead")
        assert ("covid by radiologist" in page) == (reader in {"first", "lead"})

    def test_a_claim_that_is_not_for_this_reader_is_refused_on_the_page(self, client_of, case, radiologist):
        read(case, radiologist, "covid")

        response = client_of(radiologist).post(reverse("cases:claim", args=[case.uid]))

        assert response.status_code == 403
        assert "You gave the first read of this case" in response.content.decode()


@pytest.mark.django_db
class TestAdjudication:
    @pytest.fixture
    def undecided(self, case, radiologist, colleague) -> Case:
        read(case, radiologist, "covid", first_impression="normal")
        read(case, colleague, "normal", first_impression="normal")
        return case

    def test_the_lead_sees_both_reads_without_names(self, client_of, api_of, undecided, lead, radiologist, colleague):
        page = client_of(lead).get(undecided.get_absolute_url()).content.decode()
        told = api_of(lead).get(reverse("api:case-detail", args=[undecided.uid])).json()

        assert "covid by radiologist" in page
        assert "normal by colleague" in page
        for name in (str(radiologist), str(colleague)):
            assert name not in page
        assert [(one["stage"], one["final_label"], one["reader"]) for one in told["reviews"]] == [
            ("first", "covid", None),
            ("second", "normal", None),
        ]

    def test_a_blind_lead_sees_them_after_an_own_first_impression(self, client_of, api_of, undecided, lead, facility):
        with_rules(facility, blind_first_read=True)
        client, detail = client_of(lead), reverse("api:case-detail", args=[undecided.uid])
        page = client.get(undecided.get_absolute_url()).content.decode()
        assert "covid by radiologist" not in page
        assert "Both appear after your first impression" in page
        assert api_of(lead).get(detail).json()["reviews"] == []

        answer = client.post(
            reverse("cases:first-impression", args=[undecided.uid]),
            {"first_impression": "covid"},
            HTTP_HX_REQUEST="true",
        ).content.decode()

        assert "covid by radiologist" in answer
        assert len(api_of(lead).get(detail).json()["reviews"]) == 2

    def test_afterwards_everybody_sees_all_reads_with_names(self, client_of, api_of, undecided, lead, third):
        read(undecided, lead, "pneumonia")

        page = client_of(third).get(undecided.get_absolute_url()).content.decode()
        told = api_of(third).get(reverse("api:case-detail", args=[undecided.uid])).json()

        for words in ("pneumonia by lead", "covid by radiologist", "normal by colleague", "adjudicated"):
            assert words in page
        assert [(one["stage"], one["reader"], one["is_in_force"]) for one in told["reviews"]] == [
            ("first", "radiologist", False),
            ("second", "colleague", False),
            ("adjudication", "lead", True),
        ]

    def test_its_page_takes_few_queries(self, client_of, undecided, lead, django_assert_max_num_queries):
        client = client_of(lead)
        client.get(undecided.get_absolute_url())

        with django_assert_max_num_queries(12):
            client.get(undecided.get_absolute_url())


@pytest.mark.django_db
class TestLists:
    def test_second_reads_and_disagreements_have_tabs(self, client_of, twice, radiologist, colleague, lead):
        due, differing, both, untouched = CaseFactory.create_batch(4, patient__facility=twice)
        read(due, radiologist, "covid")
        read(differing, radiologist, "covid")
        read(differing, colleague, "normal")
        read(both, radiologist, "covid")
        read(both, colleague, "covid")
        client = client_of(lead)

        def shown(tab: str) -> set[Case]:
            return set(client.get(WORKLIST, {"status": tab}).context["page"].cases)

        assert shown("second") == {due}
        assert shown("disagreements") == {differing}
        assert shown("") == {due, differing, untouched}
        assert shown("signed") == {both}

    def test_a_first_reader_keeps_a_waiting_case_among_theirs(self, client_of, case, radiologist, colleague):
        read(case, radiologist, "covid")

        for reader, cases in ((radiologist, [case]), (colleague, [])):
            assert client_of(reader).get(WORKLIST, {"status": "mine"}).context["page"].cases == cases

    def test_a_row_says_which_read_is_due(self, client_of, case, radiologist, colleague):
        read(case, radiologist, "covid")
        assert "second read" in client_of(colleague).get(WORKLIST).content.decode().split("<tbody>")[1]

        read(case, colleague, "normal")
        assert "reads differ" in client_of(colleague).get(WORKLIST).content.decode().split("<tbody>")[1]

    def test_the_api_says_it_too(self, api_of, case, radiologist, colleague):
        read(case, radiologist, "covid")

        told = api_of(colleague).get(reverse("api:case-detail", args=[case.uid])).json()

        assert (told["status"], told["stage"], told["reviews"]) == ("to_read", "second", [])

    def test_the_first_reader_is_told_the_own_read_by_the_api(self, api_of, case, radiologist):
        read(case, radiologist, "covid")

        (told,) = api_of(radiologist).get(reverse("api:case-detail", args=[case.uid])).json()["reviews"]

        assert (told["reader"], told["stage"], told["version"], told["is_in_force"]) == (
            "radiologist",
            "first",
            1,
            False,
        )


@pytest.mark.django_db
class TestHistory:
    def lines(self, client, case: Case) -> list[str]:
        return [str(move) for move in client.get(case.get_absolute_url()).context["history"]]

    def test_names_of_earlier_readers_come_with_the_last_signature(self, client_of, case, radiologist, colleague, lead):
        read(case, radiologist, "covid")
        waiting = ["Signed; a second read is due"]
        assert self.lines(client_of(colleague), case) == waiting
        assert self.lines(client_of(radiologist), case) == [
            f"{radiologist} started reading",
            f"{radiologist} signed; a second read is due",
        ]
        read(case, colleague, "normal")
        assert self.lines(client_of(lead), case) == [*waiting, "Signed; the two reads differ"]

        read(case, lead, "normal")

        assert self.lines(client_of(colleague), case) == [
            f"{radiologist} started reading",
            f"{radiologist} signed; a second read is due",
            f"{colleague} started reading",
            f"{colleague} signed; the two reads differ",
            f"{lead} started reading",
            f"{lead} signed",
        ]

    def test_so_do_reasons(self, client_of, case, radiologist, colleague, lead):
        claim_case(case=case, reader=radiologist)
        release_case(case=case, actor=lead, reason="Thinks it is Covid")
        read(case, radiologist, "covid")
        client = client_of(colleague)
        assert "Thinks it is Covid" not in client.get(case.get_absolute_url()).content.decode()

        read(case, colleague, "covid")

        assert "Thinks it is Covid" in client.get(case.get_absolute_url()).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_second_readers_at_once_one_reads(case, radiologist, colleague, third):
    read(case, radiologist, "covid")

    answers = at_once(lambda reader: claim_case(case=case, reader=reader), [colleague, third])

    assert sorted(type(answer).__name__ for answer in answers) == ["Case", ClaimedByAnother.__name__]
