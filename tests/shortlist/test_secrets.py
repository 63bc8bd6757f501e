from __future__ import annotations

import time
import urllib.parse

import hypothesis
import pytest
from hypothesis import strategies as st

from shortlist.errors import DataError, ResourceError
from shortlist.process import causes
from shortlist.secrets import redacted, secrets_in

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


# Without "?" and "#", which end the user's part of an address, and "@" and spaces.
_SEASONING = st.text(st.sampled_from("abcXYZ019-._~!$&'()*+,;=:/%\"<>[]{}|\\^`"), max_size=6)
_QUOTES = st.sampled_from(
    [("", ""), ("'", "'"), ('"', '", '), ("(", ")."), ("<", ">:"), ("path=", ";"), ("got: ", "\n")]
)


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """Returns an address with "hunter2" within a password or the value of a parameter."""
    scheme = draw(st.sampled_from(["s3", "gs", "https", "postgresql", "hdfs", "jdbc:mysql"]))
    # A password of digits before a slash would look like a port.
    secret = "p" + draw(_SEASONING) + "hunter2" + draw(_SEASONING)
    slashes = draw(st.sampled_from(["//", "/"]))
    if draw(st.booleans()):
        user_info = f"{draw(st.sampled_from(['', 'me', 'AKIAKEY']))}:{secret}@"
        if draw(st.booleans()):
            user_info = urllib.parse.quote(user_info, safe="")
        return f"{scheme}:{slashes}{user_info}bucket/log.csv"
    name = draw(st.sampled_from(["X-Amz-Signature", "sig", "TOKEN", "%74oken", "id_token", "db_password"]))
    start = draw(st.sampled_from(["?", "?a=1&", "?a=1;", "#"]))
    # In a query, these characters would end the value.
    value = secret.translate(str.maketrans("&;=", "---"))
    return f"{scheme}:{slashes}bucket/log.csv{start}{name}={value}&z=1"


@hypothesis.given(address=addresses(), quotes=_QUOTES, nested=st.booleans(), data=st.data())
@hypothesis.settings(max_examples=500)
def test_no_part_of_a_secret_is_left(address, quotes, nested, data):
    if nested:
        address = f"https://proxy.example/?u={urllib.parse.quote(address, safe='')}"
    text = f"expected a file at {quotes[0]}{address}{quotes[1]} and more"
    cleaned = redacted(text)
    assert "hunter2" not in urllib.parse.unquote(urllib.parse.unquote(cleaned))
    assert cleaned.startswith("expected a file at ")
    assert cleaned.endswith(" and more")
    assert redacted(cleaned) == cleaned
    assert secrets_in(cleaned) is None
    # A message may have been shortened within the secret.
    end = data.draw(st.integers(text.find("hunter2") + len("hunter2"), len(text))) if "hunter2" in text else len(text)
    assert "hunter2" not in redacted(text[:end])


@hypothesis.given(st.lists(st.one_of(st.text(max_size=20), addresses()), max_size=5).map(" ".join))
@hypothesis.settings(max_examples=300)
def test_redaction_leaves_nothing_that_would_be_refused(text):
    assert secrets_in(redacted(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "data/me:pw@host/log.csv, row 3: expected an id, got ''",
        "http://localhost:8888, http://[::1]:8080/x) gs://a,gs://b",
        "hdfs://name-node:8020/me@home/log.csv: no such file",
        "12:30:01 x.py:17: me@home: done",
        "https://shop.example/?country_code=uk&token=",
        "file:///data/me@home/token=1/log?.csv",
    ],
)
def test_other_text_is_unchanged(text):
    assert redacted(text) == text


def test_the_rest_of_an_address_stays_readable():
    assert redacted("'s3://AKIAKEY:s3c/r3t@bucket/log.csv': no such file") == "'s3://***@bucket/log.csv': no such file"
    assert redacted("(https://h/x?v=1&sig=s3cr3t).") == "(https://h/x?v=1&sig=***)."


@pytest.mark.parametrize("unit", ["a", "x://", "ab:/", "%25", "ab://?sig=b", "'", "a:", "%3A"])
def test_the_time_is_linear_in_the_text(unit):
    start = time.process_time()
    redacted("https://h/?sig=" + unit * (10**6 // len(unit)) + "x")
    secrets_in("https://h/?sig=" + unit * (10**6 // len(unit)) + "x")
    assert time.process_time() - start < 10


def test_errors_have_no_credentials_in_any_part():
    address = "s3://KEY:hunter2@bucket/x.csv"
    error = DataError.from_parts(address, f"a file at {address}", f"none at {address}", f"correct {address}")
    for text in (str(error), repr(error), error.where, error.expected, error.got, error.remedy):
        assert "hunter2" not in text
    assert "hunter2" not in str(ResourceError(f"{address} is full"))
    assert "hunter2" not in str(DataError.from_reason("x", "a file", OSError(address)))


def test_the_cause_of_a_failure_has_no_credentials_where_it_is_cut():
    for before in range(440, 500):
        error = OSError(f"{'x' * before} s3://KEY:hunter2@bucket/x.csv is not there")
        assert "hunter2" not in causes.first_cause(error)
