"""Detection of credentials in addresses.

A config's values end up in logs, in the run's copy of the config and in ML Metadata, where everybody can read them.
"""

from __future__ import annotations

import re
import urllib.parse

# Parameters of signed addresses (S3, Google Cloud Storage, Azure), and common names of tokens in a query string.
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
# A user before the host. Amazon's secrets can contain a slash, so the second alternative reads past one, unless the
# text after the colon is a port.
_USER_INFO = re.compile(r"[^/?#]*@|[^/?#@:\[]*:(?!\d*(?:[/?#]|$))[^?#]*@")


def secrets_in(text: str) -> str | None:
    """Returns the kind of credential in an address in `text`, or None.

    The result describes the place and never repeats the credential: "a user name or password before the host", "the
    parameter 'X-Amz-Signature'". Local paths never contain credentials, whatever their characters.
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
    """Returns an address unchanged; refuses one with credentials.

    Raises:
      ValueError: The address contains credentials; names their place without repeating them.
    """
    place = secrets_in(address)
    if place:
        raise ValueError(
            f"expected an address without credentials, got {place}; put them where the store's own client reads them"
        )
    return address
