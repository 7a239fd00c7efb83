from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from cases.models import SavedFilter
from cases.saved_filters import AT_MOST, NameTaken, TooMany, save_filter
from cases.tests.factories import CaseFactory
from cases.tests.test_services import at_once
from portal.accounts.models import User

pytestmark = pytest.mark.django_db
URL, SAVE = reverse("cases:worklist"), reverse("cases:filter-save")
STAT = "status=mine&priority=1&sort=newest"


def remove(saved: SavedFilter) -> str:
    return reverse("cases:filter-remove", args=[saved.uid])


def names(response) -> list[str]:
    return [saved.name for saved in response.context["saved_filters"]]


def test_what_the_list_shows_is_kept_under_a_name(client_of, radiologist, facility):
    client = client_of(radiologist)
    stat, _ = (CaseFactory(patient__facility=facility, priority=priority) for priority in (1, 3))

    client.post(SAVE, {"name": "Stat", "query": "priority=1&sort=newest"})

    page = client.get(URL)
    assert names(page) == ["Stat"]
    assert client.get(SavedFilter.objects.get().get_absolute_url()).context["page"].cases == [stat]


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (STAT, STAT),
        ("q=Lovelace&priority=1&at=W10", "priority=1"),
        ("priority=9&sort=sideways&evil=1", ""),
        ("status=signed&reader=me", "status=signed&reader=me"),
    ],
)
def test_no_name_of_a_patient_and_nothing_unknown_is_kept(client_of, radiologist, asked, kept):
    client_of(radiologist).post(SAVE, {"name": "Mine", "query": asked})

    assert sorted(SavedFilter.objects.get().query.split("&")) == sorted(kept.split("&"))


def test_who_sees_which(client_of, radiologist, colleague, outsider, submitter):
    save_filter(owner=radiologist, name="Private", query=STAT)
    save_filter(owner=radiologist, name="Shared", query=STAT, is_shared=True)

    assert names(client_of(radiologist).get(URL)) == ["Private", "Shared"]
    for user in (colleague, submitter):
        assert names(client_of(user).get(URL)) == ["Shared"]
    assert names(client_of(outsider).get(URL)) == []


def test_who_removes_which(client_of, radiologist, colleague, outsider, lead):
    private = save_filter(owner=radiologist, name="Private", query=STAT)
    shared = save_filter(owner=radiologist, name="Shared", query=STAT, is_shared=True)
    asked = [(colleague, private, 404), (colleague, shared, 403), (outsider, shared, 404), (lead, private, 404)]
    for user, saved, status in asked:
        assert client_of(user).post(remove(saved)).status_code == status
    assert SavedFilter.objects.count() == 2

    assert client_of(lead).post(remove(shared)).status_code == 302
    assert client_of(radiologist).post(remove(private)).status_code == 302
    assert not SavedFilter.objects.exists()


def test_a_name_stands_for_one_filter(client_of, radiologist, colleague):
    save_filter(owner=radiologist, name="Night", query=STAT, is_shared=True)
    for owner in (radiologist, colleague):
        with pytest.raises(NameTaken):
            save_filter(owner=User.objects.get(pk=owner.pk), name="night", query="")

    page = client_of(colleague).post(SAVE, {"name": "Night", "query": STAT}, follow=True)
    assert "There is a saved filter “Night” already." in page.content.decode()
    row = SavedFilter(facility=radiologist.facility, owner=colleague, name="Night", is_shared=True)
    with pytest.raises(IntegrityError, match="saved_filter_shared_name_unique"), transaction.atomic():
        row.save()


def test_two_readers_may_use_one_name_for_themselves(radiologist, colleague):
    for owner in (radiologist, colleague):
        save_filter(owner=owner, name="Mine", query=STAT)

    assert SavedFilter.objects.count() == 2


def test_there_is_an_end_to_them(radiologist):
    for number in range(AT_MOST):
        save_filter(owner=radiologist, name=f"Filter {number}", query="")

    with pytest.raises(TooMany):
        save_filter(owner=radiologist, name="One more", query="")


def test_a_filter_without_a_name_is_refused_in_words(client_of, radiologist):
    page = client_of(radiologist).post(SAVE, {"name": " ", "query": STAT}, follow=True)

    assert "The filter is not saved." in page.content.decode()
    assert not SavedFilter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_clicks_at_once_one_saves(radiologist):
    answers = at_once(lambda query: save_filter(owner=radiologist, name="Mine", query=query), ["", "priority=1"])

    assert sorted(type(answer).__name__ for answer in answers) == ["NameTaken", "SavedFilter"]
