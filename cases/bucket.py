"""Images in an S3-compatible bucket, with what ``storage`` promises of a folder as far as S3 can promise it.

Only settings with a bucket name this module, so that nobody else pays for boto3.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from django.core.files.base import File
from django.utils.encoding import filepath_to_uri
from storages.backends.s3 import S3Storage

from cases.storage import FileDamaged, StorageError, StorageFull, StorageUnavailable, StoredFile, verified_size

logger = logging.getLogger(__name__)

# An upload holds a lock of its facility while it stores two files: together they must end before PostgreSQL ends an
# idle transaction (30 s), also where the bucket takes connections and says nothing.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    signature_version="s3v4",
    # Each file is compared with its SHA-256 by the portal; older servers stumble over the checksums boto3 would add.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
_IN_MEMORY_BYTES = 8 * 1024**2
_GONE = {"NoSuchKey", "404"}
_FULL = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
_PASSING = {"BadDigest", "RequestTimeout", "SlowDown", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}


class ContentAddressedBucket(S3Storage):
    """A bucket in which a name always means the same bytes.

    S3 shows an object whole or not at all. The upload carries the SHA-256 of its content; where the server does not
    confirm it, the object is read back before anybody is told that it is kept.
    """

    def __init__(self, **options: Any):
        super().__init__(client_config=_CONFIG, **options)

    @cached_property
    def _client(self):
        """One for all threads: clients may be shared, and making one takes a tenth of a second."""
        return self.connection.meta.client

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself: it is taken only by the same content."""
        return name

    def _save(self, name: str, content: File) -> str:
        digest = hashlib.sha256()
        for chunk in content.chunks():
            digest.update(chunk)
        content.seek(0)
        checksum = base64.b64encode(digest.digest()).decode()
        with _in_our_words():
            answer = self._client.put_object(
                **self._address(name),
                Body=content,
                ChecksumSHA256=checksum,
                **self._get_write_parameters(name, content),
            )
        if answer.get("ChecksumSHA256") != checksum:
            self._read_back(name, digest.hexdigest())
        return name

    def _read_back(self, name: str, sha256: str) -> None:
        try:
            verified_size(self, name, sha256)
        except FileDamaged as error:
            raise StorageUnavailable("An image file was damaged on its way to the storage.") from error

    def _open(self, name: str, mode: str = "rb") -> File:
        """The object, fetched as a whole: what goes wrong on the way goes wrong here, and in our words."""
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - whoever opened it closes it
        try:
            with _in_our_words():
                shutil.copyfileobj(self._client.get_object(**self._address(name))["Body"], file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return File(file, name)

    def delete(self, name: str) -> None:
        with _in_our_words():
            self._client.delete_object(**self._address(name))

    def exists(self, name: str) -> bool:
        try:
            self._head(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return self._head(name)["ContentLength"]

    def get_modified_time(self, name: str) -> datetime:
        return self._head(name)["LastModified"]

    def walk(self) -> Iterator[StoredFile]:
        """Every object of the bucket."""
        with _in_our_words():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name):
                for entry in page.get("Contents", ()):
                    yield StoredFile(entry["Key"], entry["Size"], entry["LastModified"])

    def url(self, name: str, *args: Any, **options: Any) -> str:
        """Where the object lies, which opens nothing: a form or the admin may show it to people without the right."""
        return f"{self.endpoint_url}/{self.bucket_name}/{filepath_to_uri(name)}"

    def signed_url(self, name: str, *, seconds: int, headers: dict[str, str]) -> str:
        """An address that gives the object to whoever has it, for so long; the caller has checked the permission.

        Args:
            name: Name of the object.
            seconds: How long the address works.
            headers: What the bucket is to answer with, by its names for them, such as ``ResponseContentType``.
        """
        parameters = self._address(name) | headers
        return self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)

    def _head(self, name: str) -> dict:
        with _in_our_words():
            return self._client.head_object(**self._address(name))

    def _address(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(name)}


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turns what boto3 raises into the errors of a folder."""
    try:
        yield
    except ClientError as error:
        raise _translated(error) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise _set_up_wrongly(type(error).__name__) from error
    except BotoCoreError as error:
        logger.warning("The bucket does not answer: %s", type(error).__name__)
        raise StorageUnavailable("The storage for images does not answer at the moment.") from error


def _translated(error: ClientError) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code in _GONE:
        return FileNotFoundError("There is no such object.")
    if code in _FULL or status == 507:
        return StorageFull("The storage for images is full.")
    if code in _PASSING or status == 429 or status >= 500:
        logger.warning("The bucket answers %s %s.", status, code)
        return StorageUnavailable("The storage for images does not answer at the moment.")
    return _set_up_wrongly(f"{status} {code}")


def _set_up_wrongly(said: str) -> StorageError:
    logger.error("The bucket cannot be used: %s. Check S3_BUCKET, S3_ENDPOINT_URL and the keys.", said)
    return StorageError("The storage for images refuses the portal.", remedy="Tell the administrator; see the log.")
