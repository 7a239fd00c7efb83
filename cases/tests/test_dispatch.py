"""Waking workers: nobody who waits for an answer waits for the broker."""

from __future__ import annotations

import threading

import pytest
from django.db import transaction

from cases import dispatch
from tests.processes import PATIENCE_SECONDS


@pytest.fixture
def broker(monkeypatch) -> Broker:
    monkeypatch.setattr(dispatch, "_waker", dispatch._Waker())
    broker = Broker()
    monkeypatch.setattr(dispatch, "wake_workers", broker.take)
    yield broker
    broker.answers.set()


class Broker:
    """Takes one message at a time, once it is told to answer."""

    def __init__(self) -> None:
        self.answers, self.asked = threading.Event(), threading.Semaphore(0)
        self.taken = 0

    def take(self) -> None:
        self.asked.release()
        self.answers.wait(PATIENCE_SECONDS)
        self.taken += 1


@pytest.mark.django_db(transaction=True)
def test_a_commit_does_not_wait_for_a_broker_that_hangs(broker):
    for _ in range(3):
        with transaction.atomic():
            dispatch.wake_workers_on_commit()

    assert broker.asked.acquire(timeout=PATIENCE_SECONDS)
    assert broker.taken == 0


def test_what_is_wanted_meanwhile_is_sent_once(broker):
    dispatch._waker.wake()
    assert broker.asked.acquire(timeout=PATIENCE_SECONDS)
    for _ in range(3):
        dispatch._waker.wake()

    broker.answers.set()

    assert broker.asked.acquire(timeout=PATIENCE_SECONDS)
    assert not broker.asked.acquire(timeout=0.5)
    assert broker.taken == 2


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_for_what_is_undone(broker):
    with transaction.atomic():
        dispatch.wake_workers_on_commit()
        transaction.set_rollback(True)

    assert not broker.asked.acquire(timeout=0.2)
