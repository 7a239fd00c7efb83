"""F10: the bucket in which the images lie is down, slow or failing, or loses what it is sent."""

from __future__ import annotations

import time

import requests

from cases.inventory import Inventory
from cases.models import Radiograph
from cases.storage import image_storage
from reliability.check import fault_ended
from reliability.proxy import Trouble
from reliability.row import Scene

_PER_SECOND = 3.0
_WHOLE_SECONDS, _HALF_SECONDS, _PAUSE_SECONDS = 12, 18, 4
_ANSWER_SECONDS = 30


def disturb(scene: Scene) -> None:
    """Each trouble for all requests and then for half of them, while images arrive and are judged."""
    stack = scene.stack
    assert stack.bucket is not None
    proxy = stack.bucket.proxy
    stack.load(3).finish()
    load = stack.endless_load(per_second=_PER_SECOND)

    proxy.stop()
    _require_unavailable(scene)
    time.sleep(scene.seconds(_WHOLE_SECONDS))
    proxy.start()
    scene.faults.append(fault_ended())
    for trouble in Trouble:
        for share, seconds in ((1.0, _WHOLE_SECONDS), (0.5, _HALF_SECONDS)):
            time.sleep(scene.random.uniform(1, _PAUSE_SECONDS))
            proxy.bring(trouble, share)
            time.sleep(scene.seconds(seconds))
            proxy.heal()
            scene.faults.append(fault_ended())
    load.stop()
    _require_bounded(scene)


def _require_unavailable(scene: Scene) -> None:
    """An image that is not to be had is 503, told within seconds."""
    uid, began = Radiograph.objects.values_list("uid", flat=True)[0], time.monotonic()
    address = f"{scene.stack.sites[0]}/radiographs/{uid}/preview/"
    answer = requests.get(address, headers=scene.stack.reader, allow_redirects=False, timeout=60)
    scene.require(answer.status_code == 503, f"An image without a storage was answered {answer.status_code}.")
    scene.require(time.monotonic() - began <= _ANSWER_SECONDS, "An image without a storage was answered too late.")


def _require_bounded(scene: Scene) -> None:
    """Every upload was answered, in time, with yes or later; and nothing is there that nobody was promised."""
    ledger = scene.stack.client.ledger
    unexpected = ledger.statuses().keys() - {201, 202, 503}
    scene.require(not unexpected, f"Uploads were answered with {sorted(unexpected)}.")
    slowest = max(ledger.seconds())
    scene.notes.append(f"The slowest answer to an upload took {slowest:.1f} s; refused: {dict(ledger.refusals)}.")
    scene.require(slowest <= _ANSWER_SECONDS, f"An upload was answered after {slowest:.1f} s.")
    promised, known = len(ledger.promised), Radiograph.objects.count()
    scene.require(known == promised, f"The database has {known} images, the client was promised {promised}.")
    inventory = Inventory.of_the_database()
    orphans = sum(file.name not in inventory for file in image_storage().walk())
    scene.notes.append(f"{orphans} files are there that no row names, for scrub.")
