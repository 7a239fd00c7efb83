"""That what the benchmarks write into the database still is what the portal would write."""

from __future__ import annotations

import pytest
from django.db import connection

from benchmarks.many_cases import fill, settle
from cases.models import Case, Review
from inference.models import Heatmap

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the database itself writes them"),
]


def test_many_cases_can_be_read_as_any_other(client_of):
    people = settle()

    fill(200)

    assert Case.objects.count() == 200
    signed = Case.objects.visible_to(people.large).filter(status=Case.Status.SIGNED).first()
    page = client_of(people.large).get(signed.get_absolute_url())
    assert page.status_code == 200
    assert page.context["reads"].in_force == Review.objects.get(case=signed)
    assert Heatmap.objects.exists()
