"""What only a real web process shows: broken framing, senders who stop or never stop, and a flood of damaged images."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from cases.tests.doors import BOUNDARY, body, part
from cases.tests.files import dicom, jpeg, mutants, png
from tests.processes import ENTRY_POINT, HOST, ROOT, free_port, manage, running

MUTATIONS = 2000
SENDERS = 2
PATIENTS = "/api/v1/patients/"
SET_UP = """
from pathlib import Path
from knox.models import get_token_model
from cases.models import Case, Patient
from portal.accounts.models import Facility, User
from portal.accounts.notice import accept_notice

place = Facility.objects.create(name="Hostile Traffic")
user = User.objects.create_user("hostile", password=None, role="submitter", facility=place)
accept_notice(user=user)
patient = Patient.objects.create(facility=place, medical_record_number="P-1")
case = Case.objects.create(facility=place, patient=patient, submitted_by=user)
print(get_token_model().objects.create(user=user)[1], case.uid)
"""


@dataclass(frozen=True)
class Server:
    """A web process, one case to send images to, and the folders that must stay empty."""

    address: str
    pid: int
    token: str
    case: str
    temporary: tuple[Path, ...]

    @property
    def images(self) -> str:
        return f"/api/v1/cases/{self.case}/images/"

    def head(self, method: str, path: str, *lines: str) -> bytes:
        known = [f"Host: {HOST}", "X-Forwarded-Proto: https", f"Authorization: Token {self.token}"]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *known, *lines, "", ""]).encode("latin-1")

    @contextlib.contextmanager
    def connection(self) -> Iterator[socket.socket]:
        port = int(self.address.rpartition(":")[2])
        with socket.create_connection((HOST, port), timeout=20) as connection:
            yield connection

    def told(self, sent: bytes, *, hang_up: bool = False) -> tuple[int, bytes]:
        """Status and body of the answer to these very bytes."""
        with self.connection() as connection:
            connection.sendall(sent)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            return answer(connection)

    @property
    def peak_bytes(self) -> int:
        """The most memory that the process which answers has ever had."""
        (worker,) = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        status = Path(f"/proc/{worker}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def answer(connection: socket.socket) -> tuple[int, bytes]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


@pytest.fixture(scope="module")
def server(migrated: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = manage("shell", "--no-imports", "-c", SET_UP, env=migrated)
    assert made.returncode == 0, made.stderr
    token, case = made.stdout.split()
    folder = tmp_path_factory.mktemp("hostile")
    address = f"{HOST}:{free_port()}"
    with running([ENTRY_POINT, "web"], ROOT, {**migrated, "WEB_BIND": address, "TMPDIR": str(folder)}) as process:
        process.wait_for("Listening at")
        yield Server(address, process.pid, token, case, (folder, Path(migrated["INTAKE_TMP_DIR"])))


@pytest.fixture(autouse=True)
def nothing_is_left(server: Server) -> Iterator[None]:
    """Neither a temporary file nor a web process that is down."""
    yield
    assert server.told(server.head("GET", "/healthz"))[0] == 200
    assert [path for folder in server.temporary for path in folder.glob("*")] == []


def images_of(server: Server) -> list[dict]:
    status, told = server.told(server.head("GET", server.images, "Connection: close"))
    assert status == 200
    return json.loads(told)["results"]


# Framing --------------------------------------------------------------------------------------------------------------

JSON = "Content-Type: application/json"
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
WHOLE = b'{"medical_record_number": "MRN-1"}'


def test_a_body_that_ends_before_its_length_is_refused(server: Server) -> None:
    status, told = server.told(server.head("POST", PATIENTS, JSON, "Content-Length: 5000") + WHOLE, hang_up=True)

    assert (status, json.loads(told)["code"]) == (400, "body_incomplete")


@pytest.mark.parametrize("missing", [1, 40, 200])
def test_an_upload_that_breaks_off_is_not_taken_in(server: Server, missing: int) -> None:
    whole = body(part("images", png(), '; filename="a.png"', "image/png"))
    head = server.head("POST", server.images, FORM, f"Content-Length: {len(whole)}")

    status, told = server.told(head + whole[:-missing], hang_up=True)

    assert (status, json.loads(told)["code"]) == (400, "body_incomplete")
    assert images_of(server) == []


def test_a_large_upload_that_breaks_off_leaves_no_temporary_file(server: Server) -> None:
    sent = body(part("images", b"\xff\xd8\xff" + bytes(3_000_000), '; filename="a.jpg"'))[:-1000]

    status, _ = server.told(server.head("POST", server.images, FORM, "Content-Length: 9000000") + sent, hang_up=True)

    assert status == 400


def test_a_body_beyond_its_length_is_not_read(server: Server) -> None:
    status, told = server.told(server.head("POST", PATIENTS, JSON, "Content-Length: 10") + WHOLE)

    assert (status, json.loads(told)["code"]) == (400, "unreadable_body")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -1"],
        ["Content-Length: 1e3"],
        ["Content-Length: 0x10"],
        ["Content-Length: 34", "Content-Length: 35"],
        ["Content-Length: 34", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: nonsense"],
        ["X-Long: " + "x" * 100_000],
        [f"X-{number}: x" for number in range(200)],
        ["X-Nul: a\0b"],
        ["Bad Name: x"],
        ["X: a", " folded"],
    ],
    ids=lambda lines: lines[0][:24],
)
def test_a_head_that_cannot_be_trusted_is_refused(server: Server, lines: list[str]) -> None:
    status, _ = server.told(server.head("POST", PATIENTS, JSON, *lines) + WHOLE, hang_up=True)

    assert 400 <= status < 500 or status == 501  # 501: a transfer coding that is not known, RFC 9112 section 6.1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_refused(server: Server, encoding: str) -> None:
    packed = gzip.compress(WHOLE)
    lines = [JSON, f"Content-Encoding: {encoding}", f"Content-Length: {len(packed)}"]

    status, told = server.told(server.head("POST", PATIENTS, *lines) + packed)

    assert (status, json.loads(told)["code"]) == (415, "content_encoding_unsupported")


@pytest.mark.parametrize("charset", ["hex", "idna", "undefined", "unicode_escape", "utf-16"])
@pytest.mark.parametrize("kind", ["text/plain", "application/json", f"multipart/form-data; boundary={BOUNDARY}"])
def test_a_body_in_another_charset_than_utf_8_is_refused(server: Server, kind: str, charset: str) -> None:
    lines = [f"Content-Type: {kind}; charset={charset}", f"Content-Length: {len(WHOLE)}"]

    status, told = server.told(server.head("POST", f"{PATIENTS}?medical_record_number=1", *lines) + WHOLE)

    assert (status, json.loads(told)["code"]) == (415, "charset_unsupported")


def test_a_body_in_pieces_without_a_length_is_refused(server: Server) -> None:
    sent = f"{len(WHOLE):x}\r\n".encode() + WHOLE + b"\r\n0\r\n\r\n"

    status, told = server.told(server.head("POST", PATIENTS, JSON, "Transfer-Encoding: chunked") + sent)

    assert (status, json.loads(told)["code"]) == (411, "length_required")


def test_a_body_that_never_ends_is_answered_and_cut_off(server: Server) -> None:
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with server.connection() as connection:
        connection.sendall(server.head("POST", server.images, FORM, "Transfer-Encoding: chunked") + piece)
        status, _ = answer(connection)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            connection.sendall(piece * 1000)

    assert status == 411


# Damaged images -------------------------------------------------------------------------------------------------------


def with_right_checksums(data: bytes) -> bytes:
    """The PNG with the CRC of every chunk made right again, so that what is inside it is looked at."""
    healed, position = bytearray(data), 8
    while position + 12 <= len(healed):
        end = position + 12 + struct.unpack_from(">I", healed, position)[0]
        if end > len(healed):
            break
        healed[end - 4 : end] = zlib.crc32(healed[position + 4 : end - 4]).to_bytes(4)
        position = end
    return bytes(healed)


def damaged_images() -> Iterator[tuple[str, bytes]]:
    share = MUTATIONS // 4
    yield from (("jpeg", one) for one in mutants(jpeg(), share, start=2))
    yield from (("png", one) for one in mutants(png(), share, start=8))
    yield from (("png", with_right_checksums(one)) for one in mutants(png(), share, start=8))
    yield from (("dicom", one) for one in mutants(dicom(WindowCenter=2048, WindowWidth=4096, PatientAge="045Y"), share))


@dataclass(frozen=True)
class Sent:
    kind: str
    status: int
    item_status: int
    seconds: float


def send_all(server: Server, images: list[tuple[str, bytes]]) -> list[Sent]:
    """One image after the other over one connection."""
    found = []
    with contextlib.closing(http.client.HTTPConnection(server.address, timeout=60)) as connection:
        for kind, content in images:
            started = time.monotonic()
            connection.request(
                "POST",
                server.images,
                body(part("images", content, '; filename="damaged"')),
                {
                    "Authorization": f"Token {server.token}",
                    "Content-Type": FORM.partition(": ")[2],
                    "X-Forwarded-Proto": "https",
                },
            )
            response = connection.getresponse()
            told = json.loads(response.read())
            problem = told["items"][0]["problem"] if "items" in told else told
            item_status = problem["status"] if problem else 0
            found.append(Sent(kind, response.status, item_status, time.monotonic() - started))
    return found


@pytest.mark.slow
def test_two_thousand_damaged_images_do_no_harm(server: Server) -> None:
    images = list(damaged_images())
    send_all(server, images[::40])  # the libraries and the decoder host are loaded
    before = server.peak_bytes

    with ThreadPoolExecutor(SENDERS) as pool:
        parts = pool.map(lambda number: send_all(server, images[number::SENDERS]), range(SENDERS))
        sent = [one for part_ in parts for one in part_]

    slowest, growth = max(one.seconds for one in sent), server.peak_bytes - before
    accepted = sum(one.item_status == 0 for one in sent)
    print(f"{accepted} accepted, slowest {slowest:.1f} s, memory grew by {growth / 1024**2:.1f} MB")
    assert len(sent) == MUTATIONS
    assert [one for one in sent if one.status >= 500 or one.item_status >= 500] == []
    assert slowest < 10
    assert growth < 50 * 1024**2
    assert {one.kind for one in sent if one.item_status} == {"jpeg", "png", "dicom"}
