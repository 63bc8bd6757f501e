"""Finds credentials in addresses: what is in a config ends in logs, in the run's copy of it and in ML Metadata."""

from __future__ import annotations

import re
import urllib.parse

# Of a signed address (S3, Google Cloud Storage, Azure) and of the habit of putting a token behind the question mark.
_PARAMETERS = frozenset(
    {
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "x-goog-credential",
        "x-goog-signature",
        "awsaccesskeyid",
        "googleaccessid",
        "key-pair-id",
        "signature",
        "sig",
        "access_key",
        "access_key_id",
        "access_token",
        "api_key",
        "apikey",
        "api-key",
        "auth",
        "authorization",
        "client_secret",
        "credential",
        "credentials",
        "id_token",
        "key",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "refresh_token",
        "sas",
        "secret",
        "secret_access_key",
        "secret_key",
        "session_token",
        "token",
    }
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<rest>\S*)")
# Before the host, or a secret with a slash in it, as Amazon's have: then what looks like a port is none.
_USER_INFO = re.compile(r"[^/?#]*@|[^/?#@:\[]*:(?!\d*(?:[/?#]|$))[^?#]*@")


def secrets_in(text: str) -> str | None:
    """Returns what kind of credential an address in `text` carries, or None.

    The answer names the place and never repeats the credential: "a user name or password before the host", "the
    parameter 'X-Amz-Signature'". Local paths carry none, whatever characters they have.
    """
    for address in _ADDRESS.finditer(text):
        rest = address["rest"]
        if _USER_INFO.match(urllib.parse.unquote(rest)):
            return "a user name or password before the host"
        for part in re.split("[?&;#]", rest)[1:]:
            name, has_value, value = part.partition("=")
            name = urllib.parse.unquote(name)
            if has_value and value and name.lower() in _PARAMETERS:
                return f"the parameter {name!r}"
    return None


def without_credentials(address: str) -> str:
    """Returns an address; it goes into logs, config dumps and ML Metadata, where no credentials belong."""
    what = secrets_in(address)
    if what:
        raise ValueError(
            f"expected an address without credentials, got {what}; put them where the store's own client reads them"
        )
    return address
