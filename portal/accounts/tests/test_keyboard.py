"""The keys that a user chooses for themselves."""

from __future__ import annotations

import pytest
from django.urls import reverse

from portal.accounts.keyboard import ACTIONS, CASE, keys_of, keys_on
from portal.accounts.models import User

pytestmark = pytest.mark.django_db
USUAL = {action.name: action.usual_key for action in ACTIONS}


def choose(client, **keys: str):
    return client.post(reverse("keyboard"), {**USUAL, **keys}, follow=True)


def test_a_chosen_key_is_kept_for_its_user_alone(client_of, radiologist, colleague):
    answer = choose(client_of(radiologist), invert="Y")

    assert "Your keys are kept." in answer.text
    assert keys_of(User.objects.get(pk=radiologist.pk)) == USUAL | {"invert": "y"}
    assert keys_of(User.objects.get(pk=colleague.pk)) == USUAL


def test_two_actions_may_swap_their_keys(client_of, radiologist):
    choose(client_of(radiologist), invert="h", heatmap="i")

    assert keys_of(User.objects.get(pk=radiologist.pk)) == USUAL | {"invert": "h", "heatmap": "i"}


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("h", "The key “h” is given to both “Invert the greys” and “Heatmap on or off”. Choose another key."),
        ("?", "The key “?” is reserved. Choose another key."),
        ("ab", "at most 1 character"),
        (" ", "This field is required."),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_a_sentence_and_nothing_changes(client_of, radiologist, key, sentence):
    answer = choose(client_of(radiologist), invert=key)

    assert sentence in answer.text
    assert keys_of(User.objects.get(pk=radiologist.pk)) == USUAL


def test_the_usual_keys_come_back(client_of, radiologist):
    client = client_of(radiologist)
    choose(client, invert="y")

    answer = client.post(reverse("keyboard"), {"usual_keys": "1"}, follow=True)

    assert "You have the usual keys again." in answer.text
    assert keys_of(User.objects.get(pk=radiologist.pk)) == USUAL


def test_an_action_that_comes_later_takes_no_key_that_a_user_has_chosen(radiologist):
    radiologist.own_keys = {"invert": "l", "gone": "q"}  # chosen before lengths were measured by "l"

    keys = keys_of(radiologist)

    assert (keys["invert"], keys["length"]) == ("l", "")
    assert "gone" not in keys
    assert "length" not in [action.name for action, _ in keys_on(radiologist, CASE)]
