from __future__ import annotations

import pytest

from shortlist.config.secrets import secrets_in

USER_INFO = "a user name or password before the host"


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIAKEY:s3cr3t@bucket/log.csv",
        "s3://AKIAKEY:s3cr3t/with/slashes+@bucket/log.csv",
        "s3://AKIAKEY:12ab/slash@bucket",
        "https://me:s3cr3t@shop.example/log.csv",
        "https://me@shop.example/log.csv",
        "https://:s3cr3t@shop.example/log.csv",
        "https://me:s3cr3t@shop.example:8443/log.csv?v=1",
        "hdfs://me:s3cr3t@name-node:8020/log.csv",
        "https://me%3As3cr3t%40shop.example/log.csv",
        "HTTPS://ME:S3CR3T@shop.example",
        "two: gs://fine/log.csv s3://AKIAKEY:s3cr3t@bucket",
    ],
)
def test_user_info(address):
    assert secrets_in(address) == USER_INFO


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://b.s3.amazonaws.com/log.csv?X-Amz-Date=1&X-Amz-Signature=s3cr3t", "X-Amz-Signature"),
        ("https://storage.googleapis.com/b/log.csv?X-Goog-Credential=s3cr3t", "X-Goog-Credential"),
        ("https://a.blob.core.windows.net/c/log.csv?sv=2024-01-01&sig=s3cr3t", "sig"),
        ("https://shop.example/log.csv?TOKEN=s3cr3t", "TOKEN"),
        ("https://shop.example/log.csv?a=1;api_key=s3cr3t", "api_key"),
        ("https://shop.example/log.csv#access_token=s3cr3t", "access_token"),
        ("https://shop.example/log.csv?%74oken=s3cr3t", "token"),
    ],
)
def test_parameters(address, name):
    found = secrets_in(address)
    assert found == f"the parameter {name!r}"
    assert "s3cr3t" not in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log.csv",
        "/data/me@home/token=1/log?.csv",
        "data/me:pw@host/log.csv",
        "gs://bucket/log/{YYYY}-{MM}-{DD}/*.csv",
        "gs://bucket/me@home/log.csv",
        "gs://bucket/log-?.csv",
        "s3://bucket/a:b/me@home.csv",
        "hdfs://name-node:8020/me@home/log.csv",
        "hdfs://name-node:8020",
        "https://shop.example/log.csv?version=2&token=",
        "https://[::1]:8080/log.csv",
        "https://[::1]:8080/me@home/log.csv",
        "https://shop.example/log.csv?country_code=uk",
        "file:///data/me@home/log.csv",
    ],
)
def test_none(text):
    assert secrets_in(text) is None
