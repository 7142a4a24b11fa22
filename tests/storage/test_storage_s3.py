"""S3Storage against moto and a real rclone: the contract, and what only S3 has."""

from __future__ import annotations

import email
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import uuid4

import botocore.exceptions
import pytest
import requests
from botocore.exceptions import ClientError

from config import Config
from dev import parts
from dev.process import free_port
from storage import from_config
from storage.base import (
    Stat,
    Storage,
    StorageDenied,
    StorageError,
    StorageMismatch,
    StorageMissing,
    StorageNoBucket,
    StorageNoUpload,
    StorageQuotaExceeded,
    StorageRejected,
    StorageUnavailable,
    StorageUnsupported,
)  # fmt: skip
from storage.parts import MIN_PART, Observer, Part
from storage.s3 import retries
from storage.s3.checksums import CRC32
from storage.s3.client import map_error
from storage.s3.http import Response
from storage.s3.options import SSE, S3Options
from storage.s3.storage import S3Storage
from tests.fakes import breaking, chunks
from tests.storage.contract import Broken, RecordingObserver, StorageContract

_opened: list[S3Storage] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close what `s3` opened."""
    yield
    while _opened:
        _opened.pop().close()


def s3(endpoint: str, **options: Any) -> S3Storage:
    options = {"aws_access_key_id": parts.ACCESS_KEY, "aws_secret_access_key": parts.SECRET_KEY} | options
    _opened.append(S3Storage(**{"bucket": parts.BUCKET, "endpoint": endpoint} | options))
    return _opened[-1]


class S3Contract(StorageContract):
    """The contract, and what holds on every S3 server."""

    def headers_of(self, storage: S3Storage, key: str) -> tuple[str | None, str | None]:  # type: ignore[override]
        headers = storage._objects.request("HEAD", key).headers
        return headers.get("content-type"), headers.get("content-disposition")

    def test_a_failed_upload_leaves_no_parts(self, storage: S3Storage, key: str) -> None:
        with pytest.raises(Broken):
            storage.put(
                key, breaking(bytes(4 * MIN_PART), Broken()), max_bytes=10 * MIN_PART, content_type="text/plain"
            )

        assert "Uploads" not in storage._boto.list_multipart_uploads(Bucket=parts.BUCKET)

    def test_an_unfinished_upload_is_listed_and_can_be_aborted(self, storage: S3Storage, key: str) -> None:
        first, _ = (storage._multipart.create(f"{key}-{number}", {}) for number in range(2))
        storage._boto.upload_part(Bucket=parts.BUCKET, Key=first.key, UploadId=first.id, PartNumber=1, Body=b"x")

        left = list(storage.multipart_uploads(key))
        assert [begun.key for begun in left] == [f"{key}-0", f"{key}-1"]
        assert list(storage.multipart_uploads("another prefix")) == []
        for begun in (*left, left[0]):
            storage.abort_multipart_upload(begun)
        assert list(storage.multipart_uploads(key)) == []
        assert list(storage.multipart_uploads()) == []

    def test_a_listing_continues_over_pages(
        self, storage: S3Storage, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(5):
            storage.put(f"{key}-{number}", iter([b"x"]), content_type="text/plain")
        listing = storage._boto.list_objects_v2
        monkeypatch.setattr(storage._boto, "list_objects_v2", lambda **more: listing(**more | {"MaxKeys": 2}))

        assert [found.key[-1] for found in storage.list_objects(f"{key}-")] == list("01234")

    @pytest.mark.parametrize("size", [0, 6, MIN_PART + 1], ids=["empty", "whole", "in parts"])
    def test_a_presigned_url_serves_the_object_with_its_headers(self, storage: S3Storage, key: str, size: int) -> None:
        disposition = "attachment; filename=\"my_a.png\"; filename*=UTF-8''my%20%C3%A4.png"
        storage.put(key, iter([bytes(size)]), content_type="text/html", disposition="inline")
        link = storage.presigned_url(key, 60, content_type="application/octet-stream", disposition=disposition)

        ran = subprocess.run(["curl", "-sSfi", link], capture_output=True, timeout=10, check=True)
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        headers = email.message_from_bytes(head.partition(b"\r\n")[2])
        assert body == bytes(size)
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == disposition

    def test_a_missing_bucket_has_its_own_error(self, storage: S3Storage, key: str) -> None:
        lost = s3(storage.endpoint, bucket="nobody-made-this")

        with pytest.raises(StorageNoBucket):
            lost.put(key, iter([b"x"]), content_type="text/plain")
        checks = {check.subject: check for check in lost.diagnose()}
        assert checks["storage"].ok
        for subject in ("bucket nobody-made-this", "write to nobody-made-this"):
            assert not checks[subject].ok
            assert "Bucket not found" in checks[subject].detail

    def test_the_diagnosis_describes_the_endpoint(self, storage: S3Storage) -> None:
        endpoint = next(check for check in storage.diagnose() if check.subject == "endpoint")

        assert endpoint.ok
        assert "region us-east-1, path addressing at http://127.0.0.1:" in endpoint.detail


class TestMoto(S3Contract):
    @pytest.fixture
    def storage(self, moto: str) -> Storage:
        return s3(moto)


class TestRclone(S3Contract):
    @pytest.fixture
    def storage(self, rclone: str) -> Storage:
        return s3(rclone)

    def test_a_presigned_url_serves_only_what_was_signed(self, storage: S3Storage, key: str) -> None:
        """Neither to see a file as a page, nor to see another."""
        storage.put(key, iter([b"linked"]), content_type="text/plain")
        link = storage.presigned_url(key, 60, content_type="application/octet-stream", disposition="attachment")

        for signed, other in (("octet-stream", "html"), ("attachment", "inline"), (key, f"{key}-other")):
            assert requests.get(link.replace(signed, other), timeout=10).status_code == 403

    def test_a_wrong_secret_is_denied(self, rclone: str, key: str) -> None:
        stranger = s3(rclone, aws_secret_access_key="guessed-secret-key")

        with pytest.raises(StorageDenied):
            stranger.put(key, iter([b"x"]), content_type="text/plain")


class Proxy:
    """An object whose named methods are intercepted: `method(real, *arguments)`."""

    def __init__(self, real: Any, **methods: Any) -> None:
        self._real, self._methods = real, methods
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if name in self._methods:
            return lambda *args, **kwargs: self._methods[name](method, *args, **kwargs)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return method(*args, **kwargs)

        return call


class TamperedS3:
    """A storage on moto with `verb(answer, send)` between it and the network: PUT, PART, HEAD or COMPLETE."""

    def __init__(
        self, endpoint: str, *, bucket: str = parts.BUCKET, options: S3Options | None = None, **verbs: Any
    ) -> None:
        self.storage, self._verbs = s3(endpoint, bucket=bucket, options=options), verbs
        made = self.storage._resources.get()
        self.boto = Proxy(made.client.boto)
        self.sent: list[str] = []
        made.client.boto = self.boto
        self.storage._resources._resources = replace(made, http=Proxy(made.http, request=self._request))

    def _request(self, send: Any, method: str, target: str, *rest: Any) -> Any:
        verb = "PART" if "partNumber" in target else "COMPLETE" if method == "POST" else method
        self.sent.append(verb)
        return self._verbs.get(verb, lambda send: send())(lambda: send(method, target, *rest))

    def put_whole(self, observer: Observer | None = None) -> Stat:
        return self.storage.put(str(uuid4()), iter([b"four"]), content_type="text/plain", observer=observer)

    def put_parts(self, number: int = 2, observer: Observer | None = None) -> Stat:
        stream = chunks(*[MIN_PART] * (number - 1), 9)
        return self.storage.put(
            str(uuid4()), stream, max_bytes=12 * MIN_PART, content_type="text/plain", observer=observer
        )

    def put(self, how: str, observer: Observer | None = None) -> Stat:
        return self.put_whole(observer) if how == "whole" else self.put_parts(observer=observer)


def lost_answer(send: Any) -> Any:
    """The server executes the request; the response is lost."""
    send()
    raise StorageUnavailable


def never_sent(send: Any) -> Any:
    raise StorageUnavailable


def with_headers(**headers: str | None) -> Any:
    """Answers with other headers than the server gave."""

    def tamper(send: Any) -> Response:
        answer: Response = send()
        changed = {**answer.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return replace(answer, headers={name: value for name, value in changed.items() if value is not None})

    return tamper


def test_an_upload_with_a_lost_response_counts_if_the_object_exists(moto: str) -> None:
    assert TamperedS3(moto, PUT=lost_answer).put_whole().size == 4


def test_a_complete_with_a_lost_response_counts_if_the_object_exists(moto: str) -> None:
    tampered = TamperedS3(moto, COMPLETE=lost_answer)

    assert tampered.put_parts().size == MIN_PART + 9
    assert "abort_multipart_upload" not in tampered.boto.calls


def test_an_upload_without_an_object_does_not_count(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, PUT=never_sent, COMPLETE=never_sent)

    for how in ("whole", "parts"):
        with pytest.raises(StorageUnavailable):
            tampered.put(how)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(retries, "_MAX_PAUSE", 0.01)


def test_an_upload_whose_complete_got_no_response_is_not_aborted(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, COMPLETE=never_sent)

    with pytest.raises(StorageUnavailable):
        tampered.put_parts()
    assert "abort_multipart_upload" not in tampered.boto.calls


def test_a_complete_is_repeated_after_a_head(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, COMPLETE=at_first(3, never_sent))

    assert tampered.put_parts().size == MIN_PART + 9
    assert tampered.sent == ["PART", "PART", *["COMPLETE", "HEAD"] * 4]


def test_an_object_that_appears_late_counts(moto: str, impatient: None) -> None:
    """The storage is slow, and something between cuts each Complete; meanwhile it knows no such upload."""
    answers: list[Any] = []

    def late(send: Any) -> Any:
        answers.append(send)
        if len(answers) == 4:
            answers[0]()
        if len(answers) < 3:
            raise StorageUnavailable
        return NO_UPLOAD

    tampered = TamperedS3(moto, COMPLETE=late)
    assert tampered.put_parts().size == MIN_PART + 9
    assert len(answers) == 4


NO_UPLOAD = Response(404, {}, b"<Error><Code>NoSuchUpload</Code></Error>")


def test_a_missing_upload_fails_at_once(moto: str, impatient: None) -> None:
    tampered = TamperedS3(moto, COMPLETE=lambda _: NO_UPLOAD)
    with pytest.raises(StorageNoUpload):
        tampered.put_parts()
    assert tampered.sent.count("HEAD") == 1


def test_an_upload_whose_complete_is_rejected_is_aborted(moto: str, impatient: None) -> None:
    too_small = Response(400, {}, b"<Error><Code>EntityTooSmall</Code></Error>")
    tampered = TamperedS3(moto, COMPLETE=lambda _: too_small)
    with pytest.raises(StorageRejected):
        tampered.put_parts()
    assert tampered.boto.calls[-1] == "abort_multipart_upload"


@pytest.mark.parametrize("how", ["whole", "parts"])
@pytest.mark.parametrize("headers", [{"content_length": "3"}, {"etag": '"' + "0" * 32 + '-9"'}])
def test_a_success_counts_only_after_a_head(moto: str, how: str, headers: dict[str, str]) -> None:
    with pytest.raises(StorageMismatch):
        TamperedS3(moto, HEAD=with_headers(**headers)).put(how)


def at_first(times: int, tamper: Any) -> Any:
    """`tamper` with the first `times` answers only."""
    left = [times]

    def work(send: Any) -> Any:
        left[0] -= 1
        return tamper(send) if left[0] >= 0 else send()

    return work


WRONG = {
    "crc": with_headers(x_amz_checksum_crc32="AAAAAA=="),
    "md5": with_headers(x_amz_checksum_crc32=None, etag=f'"{"0" * 32}"'),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("how", "verb"), [("whole", "PUT"), ("parts", "PART")])
def test_damaged_bytes_are_sent_again_from_memory(moto: str, how: str, verb: str, wrong: str) -> None:
    tampered, observer = TamperedS3(moto, **{verb: at_first(2, WRONG[wrong])}), RecordingObserver()

    assert tampered.put(how, observer).size == sum(observer.heard)
    assert tampered.sent.count(verb) == {"whole": 3, "parts": 4}[how]
    assert tampered.storage.buffers.free == tampered.storage.buffers.made


@pytest.mark.parametrize("wrong", [{"content_length": "3"}, {"etag": f'"{"0" * 32}"'}])
def test_a_wrong_object_is_sent_again(moto: str, wrong: dict[str, str]) -> None:
    tampered = TamperedS3(moto, HEAD=at_first(2, with_headers(**wrong)))

    assert tampered.put_whole().size == 4
    assert tampered.sent == ["PUT", "HEAD"] * 3


def test_an_object_missing_after_put_is_sent_again(moto: str) -> None:
    def gone(send: Any) -> Response:
        return Response(404, {}, b"")

    assert TamperedS3(moto, HEAD=at_first(1, gone)).put_whole().size == 4


def test_resends_of_damaged_bytes_are_bounded_and_the_digests_reported(moto: str) -> None:
    for how, verb, most in (("whole", "PUT", 3), ("parts", "PART", 6)):
        tampered = TamperedS3(moto, **{verb: WRONG["md5"]})
        with pytest.raises(StorageMismatch, match="0" * 32):
            tampered.put(how)
        assert 3 <= tampered.sent.count(verb) <= most


def test_the_first_mismatch_is_raised_if_parts_cannot_be_replaced(moto: str) -> None:
    answers = [WRONG["md5"]]

    def once_and_no_more(send: Any) -> Response:
        return answers.pop()(send) if answers else Response(501, {}, b"<Code>NotImplemented</Code>")

    tampered = TamperedS3(moto, PUT=once_and_no_more)
    with pytest.raises(StorageMismatch):
        tampered.put_whole()
    assert "checksums crc32" in tampered.storage.describe()


def completed(etag: str | None) -> Any:
    """An answer to Complete with this ETag; None: without one."""

    def tamper(send: Any) -> Response:
        answer: Response = send()
        element = b"" if etag is None else f"<ETag>{etag}</ETag>".encode()
        body = re.sub(rb"<ETag>.*?</ETag>", element, answer.body)
        assert body != answer.body
        return replace(answer, body=body)

    return tamper


@pytest.mark.parametrize("etag", ["", '""', None])
def test_a_complete_without_an_etag_is_verified_by_its_parts(moto: str, etag: str | None) -> None:
    """As radosgw has it."""
    assert TamperedS3(moto, COMPLETE=completed(etag)).put_parts(3).size == 2 * MIN_PART + 9

    other = with_headers(etag=f'"{"0" * 32}-3"')
    with pytest.raises(StorageMismatch, match=f"{'0' * 32}-3"):
        TamperedS3(moto, COMPLETE=completed(etag), HEAD=other).put_parts(3)


def test_without_a_comparable_digest_the_size_decides(moto: str) -> None:
    """Neither a CRC32 nor an MD5 of the parts, nor an ETag of the whole."""
    opaque = with_headers(x_amz_checksum_crc32=None, x_amz_server_side_encryption="aws:kms")
    verbs = {"COMPLETE": completed(""), "PART": opaque}

    assert TamperedS3(moto, **verbs).put_parts(3).size == 2 * MIN_PART + 9
    with pytest.raises(StorageMismatch, match="3"):
        TamperedS3(moto, **verbs, HEAD=with_headers(content_length="3")).put_parts(3)


def test_a_wrong_version_is_deleted(moto: str) -> None:
    tampered = TamperedS3(moto, bucket="wrong-versions", PUT=WRONG["md5"])
    tampered.boto.create_bucket(Bucket="wrong-versions")
    tampered.boto.put_bucket_versioning(Bucket="wrong-versions", VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(StorageMismatch):
        tampered.put_whole()

    listed = tampered.boto.list_object_versions(Bucket="wrong-versions")
    assert "Versions" not in listed
    assert "DeleteMarkers" not in listed


@pytest.mark.parametrize("how", ["whole", "parts"])
@pytest.mark.parametrize(
    "headers", [{"x_amz_checksum_crc32": "AAAAAA=="}, {"x_amz_checksum_crc32": None, "etag": '"' + "0" * 32 + '"'}]
)
def test_a_digest_of_other_bytes_is_noticed(moto: str, how: str, headers: dict[str, str]) -> None:
    with pytest.raises(StorageMismatch):
        TamperedS3(moto, PUT=with_headers(**headers), PART=with_headers(**headers)).put(how)


def test_a_failing_part_aborts_the_upload_and_frees_all_memory(moto: str) -> None:
    tampered = TamperedS3(moto, PART=never_sent)

    with pytest.raises(StorageUnavailable):
        tampered.put_parts(30)
    assert tampered.boto.calls[-1] == "abort_multipart_upload"
    assert tampered.sent.count("PART") < 10
    assert tampered.storage.buffers.free == tampered.storage.buffers.made


@pytest.mark.parametrize(
    ("how", "verbs"),
    [
        ("whole", {"PUT": never_sent}),
        ("whole", {"HEAD": with_headers(content_length="3")}),
        ("parts", {"PART": never_sent}),
        ("parts", {"PART": with_headers(x_amz_checksum_crc32="AAAAAA==")}),
    ],
)
def test_unconfirmed_bytes_are_not_reported_as_stored(moto: str, how: str, verbs: dict[str, Any]) -> None:
    observer = RecordingObserver()
    with pytest.raises(StorageError):
        TamperedS3(moto, **verbs).put(how, observer)

    assert observer.heard == []


def test_reported_bytes_never_exceed_the_listed_parts(moto: str) -> None:
    storage, said = s3(moto), []

    class Auditor(RecordingObserver):
        def on_stored(self, size: int) -> None:
            super().on_stored(size)
            [upload] = storage.multipart_uploads("audited")
            listed = storage._boto.list_parts(Bucket=parts.BUCKET, Key="audited", UploadId=upload.id)["Parts"]
            said.append((sum(self.heard), sum(part["Size"] for part in listed)))

    storage.put(
        "audited", chunks(*[MIN_PART] * 4), max_bytes=5 * MIN_PART, content_type="text/plain", observer=Auditor()
    )

    assert len(said) == 4
    assert all(heard <= listed for heard, listed in said)


def test_an_object_with_a_lost_response_is_reported_as_stored(moto: str) -> None:
    observer = RecordingObserver()
    TamperedS3(moto, PUT=lost_answer).put("whole", observer)

    assert observer.heard == [4]


def test_a_part_is_sent_with_its_crc32(moto: str) -> None:
    seen: list[str] = []
    storage = s3(moto)
    send = storage._resources.get().http.request

    def request(method: str, target: str, signed: Any, *rest: Any) -> Response:
        seen.append(signed().get(CRC32, ""))
        return send(method, target, signed, *rest)

    http = Proxy(storage._resources.get().http, request=lambda _, *rest: request(*rest))
    storage._resources._resources = replace(storage._resources.get(), http=http)
    storage.put("crc", iter([b"123456789"]), content_type="text/plain")

    assert seen == ["y/Q5Jg==", ""]


@pytest.mark.parametrize(("sign", "payload"), [(False, "UNSIGNED-PAYLOAD"), (True, sha256(b"x").hexdigest())])
def test_the_payload_is_signed_if_required(moto: str, sign: bool, payload: str) -> None:
    storage = s3(moto, sign_payload=sign)
    seen: list[str] = []
    signed = storage._resources.get().client.signed
    storage._resources.get().client.signed = lambda *args: seen.append(args[3]) or signed(*args)  # type: ignore[func-returns-value, method-assign]
    storage.put("signed", iter([b"x"]), content_type="text/plain")

    assert seen[0] == payload


def test_five_hundred_failed_uploads_free_all_memory(moto: str) -> None:
    storage = s3(moto)
    for number in range(500):
        with pytest.raises(Broken):
            storage.put("broken", breaking(bytes(number * 100), Broken()), content_type="text/plain")

    assert storage.buffers.free == storage.buffers.made <= 1


def test_an_unreachable_storage_may_return() -> None:
    storage = s3(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(StorageUnavailable) as failed:
        storage.stat("any")
    assert not failed.value.permanent


KEYS = {"aws_access_key_id": "k" * 16, "aws_secret_access_key": "s" * 16}


@pytest.mark.parametrize(
    ("bucket", "endpoint", "region", "addressing", "url"),
    [
        ("ferry", "", "us-east-1", "auto", "https://ferry.s3.amazonaws.com/"),
        ("ferry", "", "us-east-1", "path", "https://s3.amazonaws.com/ferry/"),
        ("ferry", "", "eu-central-1", "auto", "https://ferry.s3.eu-central-1.amazonaws.com/"),
        ("ferry", "", "eu-central-2", "auto", "https://ferry.s3.eu-central-2.amazonaws.com/"),
        ("ferry", "", "cn-north-1", "auto", "https://ferry.s3.cn-north-1.amazonaws.com.cn/"),
        ("ferry", "", "us-gov-west-1", "auto", "https://ferry.s3.us-gov-west-1.amazonaws.com/"),
        ("dotted.name", "", "us-gov-west-1", "auto", "https://s3.us-gov-west-1.amazonaws.com/dotted.name/"),
        ("dotted.name", "", "eu-central-1", "auto", "https://s3.eu-central-1.amazonaws.com/dotted.name/"),
        ("dotted.name", "", "cn-north-1", "auto", "https://s3.cn-north-1.amazonaws.com.cn/dotted.name/"),
        ("ferry", "http://s3:9000", "us-east-1", "auto", "http://s3:9000/ferry/"),
        ("ferry", "http://s3:9000", "us-east-1", "virtual", "http://ferry.s3:9000/"),
        ("ferry", "https://oss.example.com", "oss-1", "virtual", "https://ferry.oss.example.com/"),
        ("ferry", "https://example.com/s3", "us-east-1", "auto", "https://example.com/s3/ferry/"),
    ],
)
def test_the_url_is_the_address_that_boto3_uses(
    bucket: str, endpoint: str, region: str, addressing: str, url: str
) -> None:
    storage = s3(endpoint, bucket=bucket, options=S3Options(addressing=addressing, region=region), **KEYS)
    client = storage._resources.get().client

    assert f"{client.scheme}://{client.netloc}{client.path}" == url
    assert storage.url("a-key") == f"{url}a-key"
    assert storage.presigned_url("a-key", 60, content_type="a/b", disposition="inline").startswith(f"{url}a-key?")
    assert (client.region, storage._boto.meta.region_name) == (region, region)


def test_the_base_url_takes_precedence() -> None:
    assert s3("http://s3:9000", base_url="https://cdn.example.com/x").url("k") == "https://cdn.example.com/x/k"


@pytest.mark.parametrize(
    ("env", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
    ],
)
def test_the_region_is_boto3s_and_then_aws_region(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    storage = from_config(Config.from_env(env | {"S3_ENDPOINT_URL": "http://127.0.0.1:1"}))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k" * 16)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s" * 16)
    assert isinstance(storage, S3Storage)

    assert f"region {region}," in storage.describe()
    storage.close()


class Choosy:
    """What answers requests that carry certain headers with a refusal, and notes the digests of those it lets by."""

    def __init__(self, moto: str, refused: str, answer: Response, **options: str) -> None:
        self.storage = s3(moto, options=S3Options(**options))
        made, self.seen = self.storage._resources.get(), list[str]()
        self._refused, self._answer = refused, answer
        self.multipart_uploads: list[dict[str, Any]] = []
        made.client.boto = Proxy(made.client.boto, create_multipart_upload=self._create)
        self.storage._resources._resources = replace(made, http=Proxy(made.http, request=self._request))

    def _request(self, send: Any, method: str, target: str, signed: Any, *rest: Any) -> Any:
        headers = [name.lower() for name in signed()]
        self.seen += [name for name in headers if name in (CRC32, "content-md5")] if method == "PUT" else []
        refused = method == "PUT" and any(re.search(self._refused, name) for name in headers)
        return self._answer if refused else send(method, target, signed, *rest)

    def _create(self, send: Any, **given: Any) -> Any:
        self.multipart_uploads.append(given)
        if re.search(self._refused, "x-amz-checksum") and "ChecksumAlgorithm" in given:
            raise ClientError({"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": 501}}, "C")
        return send(**given)


NAMED = Response(400, {}, b"<Error><Code>InvalidArgument</Code><Message>Unsupported header</Message>"
               b"<ArgumentName>x-amz-checksum-crc32</ArgumentName></Error>")  # fmt: skip
NOT_IMPLEMENTED = Response(501, {}, b"<Error><Code>NotImplemented</Code><Message>A header</Message></Error>")


@pytest.mark.parametrize("answer", [NAMED, NOT_IMPLEMENTED, Response(501, {}, b"")])
@pytest.mark.parametrize("size", [4, MIN_PART + 1], ids=["whole", "in parts"])
def test_a_rejected_checksum_is_no_longer_sent(
    moto: str, caplog: pytest.LogCaptureFixture, answer: Response, size: int
) -> None:
    choosy = Choosy(moto, "x-amz-checksum", answer)
    for _ in range(2):
        assert choosy.storage.put("choosy", iter([bytes(size)]), max_bytes=size, content_type="text/plain").size == size

    assert choosy.seen.count(CRC32) <= 1
    assert choosy.seen[-1] == "content-md5"
    [warning] = [record.message for record in caplog.records if "checksum_rejected" in record.message]
    assert "S3_CHECKSUM=crc32" in warning
    assert "checksums md5" in choosy.storage.describe()


def test_without_any_accepted_checksum_the_etag_is_still_compared(moto: str) -> None:
    choosy = Choosy(moto, "x-amz-checksum|content-md5", NOT_IMPLEMENTED)

    assert choosy.storage.put("choosy", iter([b"four"]), content_type="text/plain").size == 4
    assert "checksums none" in choosy.storage.describe()
    tampered = TamperedS3(moto, PUT=WRONG["md5"], options=S3Options(checksum="none"))
    with pytest.raises(StorageMismatch):
        tampered.put_whole()


def test_a_rejection_that_no_checksum_avoids_is_raised_and_not_remembered(moto: str) -> None:
    choosy = Choosy(moto, "content-type", NOT_IMPLEMENTED)

    with pytest.raises(StorageUnsupported, match="NotImplemented"):
        choosy.storage.put("choosy", iter([b"four"]), content_type="text/plain")
    assert choosy.seen == [CRC32, "content-md5"]
    assert "checksums crc32" in choosy.storage.describe()


@pytest.mark.parametrize(
    "answer", [Response(403, {}, b"<Code>AccessDenied</Code>"), Response(400, {}, b"<Code>EntityTooLarge</Code>")]
)
def test_another_rejection_does_not_change_the_checksum(moto: str, answer: Response) -> None:
    choosy = Choosy(moto, "content-type", answer)

    with pytest.raises(StorageError):
        choosy.storage.put("choosy", iter([b"four"]), content_type="text/plain")
    assert choosy.seen == [CRC32]


@pytest.mark.parametrize(
    ("checksum", "header", "algorithm"),
    [("crc32", [CRC32], {"ChecksumAlgorithm": "CRC32"}), ("md5", ["content-md5"], {}), ("none", [], {})],
)
def test_the_configured_checksum_is_sent(
    moto: str, checksum: str, header: list[str], algorithm: dict[str, str]
) -> None:
    choosy = Choosy(moto, "nothing", NAMED, checksum=checksum)
    choosy.storage.put("set", iter([bytes(MIN_PART + 1)]), max_bytes=MIN_PART + 1, content_type="text/plain")

    assert choosy.seen == header * 2
    assert {name: value for name, value in choosy.multipart_uploads[0].items() if "Checksum" in name} == algorithm


def test_encryption_is_requested_for_the_object_and_not_its_parts(moto: str) -> None:
    options = S3Options(encryption="aws:kms", kms_key="alias/ferry")
    tampered, sent = TamperedS3(moto, options=options), []
    signed = tampered.storage._resources.get().client.signed
    tampered.storage._resources.get().client.signed = lambda *args: sent.append(args) or signed(*args)  # type: ignore[func-returns-value, method-assign]
    for how in ("whole", "parts"):
        key = tampered.put(how).key
        head = tampered.boto.head_object(Bucket=parts.BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/ferry")

    asked = [(method, target.partition("?")[2][:10], SSE in headers) for method, target, headers, _ in sent]
    asked = [each for each in asked if each[0] != "POST"]
    assert set(asked) == {("PUT", "", True), ("HEAD", "", False), ("PUT", "partNumber", False)}


def test_an_etag_is_not_an_md5_with_kms(moto: str) -> None:
    """Whether or not the answer says so."""
    strange = with_headers(x_amz_checksum_crc32=None, etag=f'"{"0" * 32}"', x_amz_server_side_encryption=None)
    head = with_headers(etag=f'"{"0" * 32}"')
    tampered = TamperedS3(moto, PUT=strange, HEAD=head, options=S3Options(encryption="aws:kms"))

    assert tampered.put_whole().size == 4


def client_error(status: int, code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "said the vendor"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "PutObject",
    )


def test_an_error_response_to_boto3_raises_its_storage_error() -> None:
    error = map_error(client_error(403, "QuotaExceeded"))

    assert type(error) is StorageQuotaExceeded
    assert (error.code, error.message) == ("QuotaExceeded", "said the vendor")


def test_an_error_response_to_ferry_raises_its_storage_error(moto: str) -> None:
    body = b"<?xml version='1.0'?><Error><Code>QuotaExceeded</Code><Message>a &amp; b</Message><Key>x</Key></Error>"

    with pytest.raises(StorageQuotaExceeded) as raised:
        TamperedS3(moto, PUT=lambda send: Response(403, {}, body)).put_whole()
    assert raised.value.cause == "QuotaExceeded: a & b"


def test_every_botocore_error_maps_to_a_storage_error() -> None:
    """Also those that a later botocore invents."""
    queue: list[type[Exception]] = [botocore.exceptions.BotoCoreError]
    while queue:
        kind = queue.pop()
        queue += kind.__subclasses__()
        assert isinstance(map_error(kind.__new__(kind)), StorageError)


def test_only_errors_that_a_retry_cannot_fix_are_permanent() -> None:
    assert {kind.permanent for kind in (StorageUnavailable, StorageMismatch)} == {False}
    permanent = (StorageDenied, StorageNoBucket, StorageRejected, StorageMissing)
    assert {kind.permanent for kind in permanent} == {True}


def test_a_version_is_reported_and_can_be_deleted(moto: str) -> None:
    s3 = S3Storage(
        bucket="versioned", endpoint=moto,
        aws_access_key_id=parts.ACCESS_KEY, aws_secret_access_key=parts.SECRET_KEY,
    )  # fmt: skip
    s3._boto.create_bucket(Bucket="versioned")
    s3._boto.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put("a", iter([body]), content_type="text/plain") for body in (b"1", b"22"))

    assert None not in (first.version, second.version)
    assert first.version != second.version
    assert s3.matches("a", 2, iter([b"22"])) == second
    before = s3._boto.list_object_versions(Bucket="versioned")
    assert all(check.ok for check in s3.diagnose())
    after = s3._boto.list_object_versions(Bucket="versioned")
    assert (after["Versions"], after.get("DeleteMarkers")) == (before["Versions"], None)
    s3.delete("a", second.version)
    assert (s3.stat("a").version, s3.stat("a").size) == (first.version, 1)
    s3.close()


class Retaining(RecordingObserver):
    """Retains every part, as a digest thread does that is slower than the storage."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []

    def on_part(self, part: Part) -> None:
        part.retain()
        self.parts.append(part)


@pytest.mark.parametrize("fails_at", ["create", "part"])
def test_a_failed_upload_does_not_free_parts_that_the_observer_retains(moto: str, fails_at: str) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StorageDenied

    tampered, observer = TamperedS3(moto, PART=fail) if fails_at == "part" else TamperedS3(moto), Retaining()
    if fails_at == "create":
        tampered.boto._methods["create_multipart_upload"] = fail
    with pytest.raises(StorageDenied):
        tampered.put_parts(observer=observer)

    buffers = tampered.storage.buffers
    assert buffers.made - buffers.free == len(observer.parts) > 0
    for part in observer.parts:
        part.release()
    assert buffers.free == buffers.made
