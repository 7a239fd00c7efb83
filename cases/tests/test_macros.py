from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from cases import macros
from cases.models import Macro

pytestmark = pytest.mark.django_db
LIST = reverse("cases:macro-list")
SCRIPT = {"Accept": "application/json"}


@pytest.fixture
def macro(radiologist) -> Macro:
    return Macro.objects.create(owner=radiologist, abbreviation="norm", text="Lungs clear.")


def test_a_macro_is_added_and_shown(client_of, radiologist):
    typed = {"abbreviation": "/Cons-RL", "text": "Consolidation.\r\nNo effusion."}
    page = client_of(radiologist).post(LIST, typed, follow=True).content.decode()

    assert "Type /cons-rl and a space" in page
    assert Macro.objects.get().text == "Consolidation.\nNo effusion."


def test_the_case_pages_script_gets_the_readers_own(client_of, radiologist, colleague, macro):
    Macro.objects.create(owner=colleague, abbreviation="mine", text="Not for other eyes")

    answer = client_of(radiologist).get(LIST, headers=SCRIPT)

    assert answer.json() == {"macros": [{"abbreviation": "norm", "text": "Lungs clear."}]}
    assert "Not for other eyes" not in client_of(radiologist).get(LIST).content.decode()


def test_it_is_changed_and_deleted(client_of, radiologist, macro):
    client = client_of(radiologist)
    address = reverse("cases:macro", args=[macro.uid])
    assert "Lungs clear." in client.get(address).content.decode()

    client.post(address, {"abbreviation": "norm", "text": "Normal."})
    assert Macro.objects.get().text == "Normal."

    client.post(reverse("cases:macro-delete", args=[macro.uid]))
    assert not Macro.objects.exists()


@pytest.mark.parametrize("name", ["macro", "macro-delete"])
def test_a_colleagues_macro_does_not_exist(client_of, colleague, macro, name):
    response = client_of(colleague).post(reverse(f"cases:{name}", args=[macro.uid]), {"abbreviation": "x", "text": "y"})

    assert response.status_code == 404
    assert Macro.objects.get().text == "Lungs clear."


def test_an_abbreviation_stands_for_one_text(client_of, radiologist, colleague, macro):
    typed = {"abbreviation": "NORM", "text": "Another text"}
    response = client_of(radiologist).post(LIST, typed)

    assert response.status_code == 409
    assert "You already have a macro /norm." in response.content.decode()
    assert "Another text" in response.content.decode()
    assert client_of(colleague).post(LIST, typed).status_code == 302


@pytest.mark.parametrize("abbreviation", ["two words", "", "a/b", "größe", "n" * 21])
def test_what_cannot_be_typed_as_one_word_is_refused(client_of, radiologist, abbreviation):
    response = client_of(radiologist).post(LIST, {"abbreviation": abbreviation, "text": "Text"})

    assert response.status_code == 400
    assert not Macro.objects.exists()


def test_there_is_an_end_to_the_number_of_macros(client_of, radiologist, macro, monkeypatch):
    monkeypatch.setattr(macros, "MACROS_AT_MOST", 1)

    response = client_of(radiologist).post(LIST, {"abbreviation": "more", "text": "Text"})

    assert response.status_code == 409
    assert "Delete one" in response.content.decode()


@pytest.mark.parametrize("wrong", [{"abbreviation": "Two words"}, {"text": ""}])
def test_the_database_holds_the_same(radiologist, wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        Macro.objects.create(**{"owner": radiologist, "abbreviation": "norm", "text": "Text"} | wrong)
