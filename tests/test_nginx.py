"""docker/nginx/portal.conf.template in a real nginx, before the production web process."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPSHandler, OpenerDirector, Request, build_opener

import pytest
import yaml

from tests.processes import ENTRY_POINT, HOST, ROOT, Answer, ask, free_port, manage, running, wait_until


@pytest.fixture(scope="module")
def https_port(web: str, migrated: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """nginx with docker/nginx/portal.conf.template, filled in as the image does it, before the web process."""
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    make_certificate(folder)
    values = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]["nginx"]["environment"]
    values |= {
        "WEB_ADDRESS": web,
        "BALANCER_ADDRESS": HOST,
        "HTTP_LISTEN": f"{HOST}:{free_port()}",
        "HTTPS_LISTEN": f"{HOST}:{port}",
        "TLS_DIRECTORY": folder,
        "MEDIA_ROOT": migrated["MEDIA_ROOT"],
    }
    template = (ROOT / "docker" / "nginx" / "portal.conf.template").read_text()
    (folder / "portal.conf").write_text(re.sub(r"\$\{(\w+)\}", lambda match: str(values[match[1]]), template))
    account = "user root;" if os.geteuid() == 0 else ""  # the folders of the test are its owner's alone
    (folder / "nginx.conf").write_text(f"""
        {account}
        daemon off;
        pid {folder}/nginx.pid;
        error_log stderr notice;
        events {{}}
        http {{
            client_body_temp_path {folder}/body;
            proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi;
            scgi_temp_path {folder}/scgi;
            include portal.conf;
        }}
    """)
    command = [os.environ["NGINX"], "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]
    with running(command, folder, {}) as process:
        process.wait_for("start worker process ")
        yield port


def make_certificate(folder: Path) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)


def connection_to_nginx(port: int, source: str = HOST) -> http.client.HTTPSConnection:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # a certificate that the test made itself
    return http.client.HTTPSConnection(HOST, port, context=context, timeout=60, source_address=(source, 0))


def ask_nginx(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    return ask(connection_to_nginx(port), method, path, headers)


SUBMIT_PHANTOMS = """
import sys, tempfile
from pathlib import Path
from django.core.management import call_command
from portal.accounts.demo import create_demo_users
from portal.accounts.models import Facility, User
from portal.accounts.notice import accept_notice

with tempfile.TemporaryDirectory() as folder:
    password = create_demo_users(Path(folder) / "users")["radiologist"]
accept_notice(user=User.objects.get(username="radiologist"))
Facility.objects.update(blind_first_read=False)  # heatmaps come without a first impression
call_command("submit_images", phantoms=True, user="submitter", stdout=sys.stderr)
print(password)
"""
TELL_FILES = """
import hashlib
from cases.models import Radiograph
from inference.heatmaps import picture_of
from inference.models import Heatmap, Run
from portal.accounts.models import User

assert not Run.objects.filter(status__in=["queued", "running"]).exists()
reader = User.objects.get(username="radiologist")  # other tests leave images of other places in this database
radiograph = Radiograph.objects.visible_to(reader).first()
heatmap = Heatmap.objects.visible_to(reader).filter(is_usable=True).first()
print(f"/radiographs/{radiograph.uid}/preview/", radiograph.preview_sha256)
print(f"/heatmaps/{heatmap.uid}/", hashlib.sha256(picture_of(heatmap)).hexdigest())
"""


def shell(code: str, env: dict[str, str]) -> list[str]:
    """The lines that a piece of code prints in Django's shell."""
    result = manage("shell", "--no-imports", "-c", code, env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def password(migrated: dict[str, str]) -> str:
    """A radiologist's, once sample cases are in the queue."""
    (password,) = shell(SUBMIT_PHANTOMS, migrated)
    return password


@pytest.fixture(scope="module")
def files(migrated: dict[str, str], password: str) -> list[tuple[str, str]]:
    """Address and SHA-256 of an image and of a heatmap, once production's worker has judged what was in the queue."""
    with running([ENTRY_POINT, "worker"], ROOT, migrated) as worker:
        worker.wait_for("Judged")
        worker.stop()
    told = [line.split() for line in shell(TELL_FILES, migrated)]
    return [(address, sha256) for address, sha256 in told]


@pytest.fixture
def reader(https_port: int) -> OpenerDirector:
    """Keeps cookies and trusts the certificate that the test made itself."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return build_opener(HTTPSHandler(context=context), HTTPCookieProcessor(CookieJar()))


def sign_in(reader: OpenerDirector, address: str, password: str) -> None:
    with reader.open(f"{address}/account/login/") as page:
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    form = {"username": "radiologist", "password": password, "csrfmiddlewaretoken": token}
    headers = {"Origin": address, "Referer": address}
    request = Request(f"{address}/account/login/", urlencode(form).encode(), headers)  # noqa: S310 - our own nginx
    reader.open(request).close()


def test_images_and_heatmaps_come_through_nginx_to_a_reader_and_to_nobody_else(
    https_port: int, files: list[tuple[str, str]], password: str, reader: OpenerDirector
) -> None:
    address = f"https://{HOST}:{https_port}"
    sign_in(reader, address, password)
    for path, sha256 in files:
        assert ask_nginx(https_port, path).status == 302
        with reader.open(address + path) as response:
            assert hashlib.sha256(response.read()).hexdigest() == sha256
            assert response.headers["Content-Type"] == "image/png"
            assert response.headers["Cache-Control"] == "private, no-cache"
            assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_nginx_passes_pages_on_with_their_security_headers(https_port: int) -> None:
    response = ask_nginx(https_port, "/account/login/")
    assert response.status == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Strict-Transport-Security"]
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_nginx_gives_nobody_a_stored_file_by_its_address(https_port: int, migrated: dict[str, str]) -> None:
    stored = Path(migrated["MEDIA_ROOT"]) / "stored.png"
    stored.parent.mkdir(exist_ok=True)
    stored.write_bytes(b"an image")
    assert ask_nginx(https_port, "/protected/stored.png").status == 404


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        pytest.param("/account/login/", 2 * 1024**2, 413, id="2 MB to a page"),
        pytest.param("/upload/", 2 * 1024**3, 413, id="2 GB to the upload page"),
        pytest.param("/api/v1/", 2 * 1024**3, 413, id="2 GB to the API"),
    ],
)
def test_nginx_refuses_a_body_that_is_too_large_by_its_announced_length(
    https_port: int, path: str, length: int, status: int
) -> None:
    assert ask_nginx(https_port, path, "POST", **{"Content-Length": str(length)}).status == status


def test_an_address_has_ten_uploads_at_once_and_may_read_besides(https_port: int) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            upload = stack.enter_context(closing(connection_to_nginx(https_port)))
            upload.putrequest("POST", "/api/v1/")
            upload.putheader("Content-Length", "1000")
            upload.endheaders(b"a beginning")
        wait_until(lambda: ask_nginx(https_port, "/api/v1/", "POST").status == 429, "the tenth upload has begun")
        assert ask_nginx(https_port, "/api/v1/cases/").status == 401
    wait_until(lambda: ask_nginx(https_port, "/api/v1/", "POST").status != 429, "nginx has noticed that they ended")


def test_a_failed_login_counts_against_the_address_that_nginx_saw(
    https_port: int, migrated: dict[str, str], password: str, reader: OpenerDirector
) -> None:
    sign_in(reader, f"https://{HOST}:{https_port}", "not " + password)
    attempts = (
        "from axes.models import AccessAttempt\nprint(*AccessAttempt.objects.values_list('ip_address', flat=True))"
    )
    assert shell(attempts, migrated) == [HOST]


def test_nginx_slows_down_a_guesser_of_passwords_and_nobody_who_opens_the_page(https_port: int) -> None:
    guesses = [ask_nginx(https_port, "/account/login/", "POST").status for _ in range(20)]
    assert 429 in guesses
    assert {ask_nginx(https_port, "/account/login/").status for _ in range(20)} == {200}


@pytest.mark.parametrize(
    ("source", "forwarded", "is_slowed"),
    [
        pytest.param(HOST, "192.0.2.{}", False, id="many clients of the balancer"),
        pytest.param(HOST, "192.0.2.{}, 203.0.113.9", True, id="one that makes addresses up before it"),
        pytest.param("127.0.0.2", "192.0.2.{}", True, id="one that comes past it"),
    ],
)
def test_nginx_believes_the_balancer_alone_who_a_client_is(
    https_port: int, source: str, forwarded: str, is_slowed: bool
) -> None:
    connections = [connection_to_nginx(https_port, source) for _ in range(20)]
    headers = [{"X-Forwarded-For": forwarded.format(number)} for number in range(20)]
    guesses = zip(connections, headers, strict=True)
    statuses = [ask(connection, "POST", "/account/login/", header).status for connection, header in guesses]
    assert (429 in statuses) == is_slowed
