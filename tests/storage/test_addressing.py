"""Addresses of objects: bucket, endpoint, region, base URL."""

from __future__ import annotations

import pytest

from config import Config
from storage import registry
from storage.s3.options import S3Options
from storage.s3.storage import S3Storage
from tests.storage.tampered_s3 import s3

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
    config = Config.from_env(env | {"S3_ENDPOINT_URL": "http://127.0.0.1:1"})
    storage = registry.create(config.storage, config.storage_settings)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k" * 16)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s" * 16)
    assert isinstance(storage, S3Storage)

    assert f"region {region}," in storage.describe()
    storage.close()
