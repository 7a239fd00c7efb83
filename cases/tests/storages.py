"""Both kinds of storage for the same tests: a folder, and a bucket of an S3 server on loopback."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server in this process."""
    from moto.server import ThreadedMotoServer  # a second to import, for these tests only

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def use_folder(settings, tmp_path) -> Callable[[], None]:
    """Makes a new, empty folder the storage for images."""

    def use() -> None:
        settings.MEDIA_ROOT = tmp_path / f"media-{uuid.uuid4().hex}"

    return use


@pytest.fixture
def use_bucket(settings, s3_server) -> Callable[[], None]:
    """Makes a new, empty bucket the storage for images."""
    import boto3

    access = {"region_name": REGION, "endpoint_url": s3_server}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

    def use() -> None:
        name = f"cxr-{uuid.uuid4().hex}"
        client = boto3.client("s3", **access, **keys)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        options = {"bucket_name": name, "access_key": "test", "secret_key": "test", **access}
        bucket = {"BACKEND": "cases.bucket.ContentAddressedBucket", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "default": bucket}

    return use


@pytest.fixture(params=["folder", "bucket"])
def use_new_storage(request) -> Callable[[], None]:
    """Makes a new, empty storage of either kind the one for images; each call another."""
    return request.getfixturevalue(f"use_{request.param}")
