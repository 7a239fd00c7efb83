"""A client of the batch API that keeps what it was promised: every image of every 2xx answer."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import requests

from reliability.pictures import picture

_TIMEOUT_SECONDS = 60
_AGAIN_SECONDS = 0.5
_GIVE_UP_SECONDS = 240


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent, how long it took, its status (0: the connection broke), how many were taken."""

    at: float
    seconds: float
    status: int
    accepted: int


@dataclass
class Ledger:
    """What the portal has promised, by the SHA-256 of the image; and how it answered."""

    promised: dict[str, str] = field(default_factory=dict)  # to the uid of the radiograph
    answers: list[Answer] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)  # codes of requests and of items that were not taken

    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    def server_errors(self) -> int:
        return sum(answer.status >= 500 for answer in self.answers)

    def seconds(self, *, since: float = 0, until: float = float("inf")) -> list[float]:
        """How long the answers to requests of this time took, those that broke off included."""
        return [answer.seconds for answer in self.answers if since <= answer.at <= until]


class Client:
    """Sends images and sends again what was not taken, as an integrator's program would.

    Args:
        sites: Addresses of web processes, which may become others; each attempt goes to any of them.
        token: Of a submitter.
    """

    def __init__(self, sites: Sequence[str], token: str):
        self._sites, self._token = sites, token
        self.ledger = Ledger()
        self._lock = threading.Lock()
        self._local = threading.local()
        self._closed = threading.Event()

    def close(self) -> None:
        """Give up whatever is still being sent."""
        self._closed.set()

    def send(self, numbers: Sequence[int], draw: Callable[[int], bytes] = picture) -> None:
        """One request for these images, repeated until each of them is taken.

        Raises:
            TimeoutError: The portal has not taken all of them after minutes.
        """
        waiting = {number: draw(number) for number in numbers}
        deadline, key = time.monotonic() + _GIVE_UP_SECONDS, uuid.uuid4().hex
        while True:
            answered, taken = self._attempt(waiting, key)
            waiting = {number: content for number, content in waiting.items() if number not in taken}
            if not waiting:
                return
            if time.monotonic() > deadline or self._closed.is_set():
                raise TimeoutError(f"{len(waiting)} images were not taken: {self.ledger.statuses()}")
            if answered:  # some were refused for now; the key would bring the same answer again
                key = uuid.uuid4().hex
            time.sleep(_AGAIN_SECONDS * random.uniform(0.5, 1.5))

    def try_once(self, number: int) -> Answer:
        """One request for one image, whatever comes of it."""
        self._attempt({number: picture(number)}, uuid.uuid4().hex)
        return self.ledger.answers[-1]

    def _attempt(self, images: dict[int, bytes], key: str) -> tuple[bool, set[int]]:
        """Whether an answer came, and which numbers are in the portal now."""
        items = [
            {"file_name": f"{number}.png", "medical_record_number": f"rel-{number}", "sha256": _sha256(content)}
            for number, content in images.items()
        ]
        files = [("images", (f"{number}.png", content, "image/png")) for number, content in images.items()]
        at, began, status, said, refused = time.time(), time.monotonic(), 0, [], []
        try:
            answer = self._session().post(
                f"{random.choice(self._sites)}/api/v1/batches/",
                headers={"Authorization": f"Token {self._token}", "Idempotency-Key": key},
                data={"manifest": json.dumps({"items": items})},
                files=files,
                timeout=_TIMEOUT_SECONDS,
            )
            status = answer.status_code
            if answer.ok:
                said = answer.json()["items"]
            elif answer.headers["Content-Type"] == "application/problem+json":
                refused.append(answer.json()["code"])
        except requests.RequestException:
            self._local.session = None
        taken = {number for number, item in zip(images, said, strict=False) if item["radiograph"]}
        with self._lock:
            self.ledger.answers.append(Answer(at, time.monotonic() - began, status, len(taken)))
            self.ledger.refusals.update(refused)
            for content, item in zip(images.values(), said, strict=False):
                if item["radiograph"]:
                    self.ledger.promised[_sha256(content)] = item["radiograph"]
                else:
                    self.ledger.refusals[item["problem"]["code"]] += 1
        return bool(said), taken

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        return session


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Load:
    """Images on their way in the background, evenly over a time or as fast as they are taken.

    Args:
        client: Sends them.
        numbers: Which images.
        per_second: Images a second; None sends as fast as it goes.
        threads: Requests at once.
        size: Images a request.
    """

    def __init__(
        self,
        client: Client,
        numbers: Iterable[int],
        *,
        per_second: float | None = None,
        threads: int = 4,
        size: int = 1,
    ):
        self._client, self._numbers = client, iter(numbers)
        self._pause = 0.0 if per_second is None else size / per_second
        self._size, self._pool = size, ThreadPoolExecutor(threads, "sender")
        self._slots = threading.Semaphore(threads)
        self._sent: list[Future[None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="load", daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set() and (numbers := list(islice(self._numbers, self._size))):
            self._slots.acquire()
            sending = self._pool.submit(self._client.send, numbers)
            sending.add_done_callback(lambda _: self._slots.release())
            self._sent.append(sending)
            due += self._pause
            self._stop.wait(max(0.0, due - time.monotonic()))

    @property
    def is_done(self) -> bool:
        """Whether everything has been sent."""
        return not self._thread.is_alive() and all(sending.done() for sending in self._sent)

    def stop(self) -> None:
        """Send nothing new; see ``finish``."""
        self._stop.set()
        self.finish()

    def finish(self) -> None:
        """Wait until everything has been taken. Raises what went wrong with one of the requests."""
        self._thread.join()
        for sending in self._sent:
            sending.result()
        self._pool.shutdown()
