"""Detection and removal of credentials in the addresses of a text.

Errors of Beam, pyarrow and HTTP clients quote addresses as they got them, so that every text is cleaned where it leaves
the program: in errors, on the terminal and in logs.
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
_PARAMETER_ENDINGS = ("token", "secret", "password", "signature", "credential", "apikey", "api_key", "api-key")
_USER_INFO_PLACE = "a user name or password before the host"
MASK = "***"
"""The text in place of credentials."""

# A user before the host, except for the mask. Amazon's secrets can contain a slash, so the second alternative reads
# past one, unless the text after the colon is a port.
_USER_INFO = re.compile(r"(?!\*{3}@)(?:[^/?#]*@|[^/?#@:\[]*:(?!\d*(?:[/?#]|$))[^?#]*@)")
# A user and the start of a password, cut before the "@" because a message was shortened.
_CUT_USER_INFO = re.compile(r"[^/?#@:\[\]]*:(?!\d*(?:\W|$))")
_PARAMETER = re.compile(r"([?&;#])([^?&;#=]*)=([^?&;#]*)")
# pathlib and os.path make one slash of two.
_START = re.compile(r"[A-Za-z0-9+.-]{2}:/+")
_SPACES = re.compile(r"(\s+)")
_PUNCTUATION = "'\"`)]}>,.:;"
# Every address of a chunk is read to the chunk's end, so that the time grows with their product.
_MAX_ADDRESSES = 50
_MAX_ENCODINGS = 3


def secrets_in(text: str) -> str | None:
    """Returns the kind of credential in an address in `text`, or None.

    The result describes the place and never repeats the credential: "a user name or password before the host", "the
    parameter 'X-Amz-Signature'". Local paths never contain credentials, whatever their characters.
    """
    for chunk in text.split():
        for start in _starts(chunk, "://"):
            place = _place(chunk[start:])
            if place:
                return place
    return None


def redacted(text: str) -> str:
    """Returns `text` with `***` in place of the credentials in its addresses.

    It also finds addresses with one slash, as pathlib writes them, percent-encoded ones, and ones that were cut within
    the password. A text without an address is returned unchanged.
    """
    if ":" not in text and "%3" not in text:
        return text
    return "".join(_redacted_chunk(chunk, _MAX_ENCODINGS) for chunk in _SPACES.split(text))


def _starts(chunk: str, marker: str) -> list[int]:
    """Returns the positions after each marker, at most `_MAX_ADDRESSES`."""
    starts: list[int] = []
    at = chunk.find(marker)
    while at >= 0 and len(starts) < _MAX_ADDRESSES:
        starts.append(at + len(marker))
        at = chunk.find(marker, at + len(marker))
    return starts


def _place(address: str) -> str | None:
    """Returns the kind of credential in an address without its scheme, or None."""
    if _USER_INFO.match(urllib.parse.unquote(address)):
        return _USER_INFO_PLACE
    for _, encoded_name, value in _PARAMETER.findall(address):
        name = urllib.parse.unquote(encoded_name)
        if value.rstrip(_PUNCTUATION) not in ("", MASK) and _is_secret(name):
            return f"the parameter {name!r}"
    return None


def _is_secret(name: str) -> bool:
    return name.lower() in _PARAMETERS or name.lower().endswith(_PARAMETER_ENDINGS)


def _redacted_chunk(chunk: str, encodings: int) -> str:
    starts = [match.end() for match in _START.finditer(chunk)]
    if len(starts) > _MAX_ADDRESSES:
        chunk = chunk[: starts[_MAX_ADDRESSES]] + MASK
        starts = starts[:_MAX_ADDRESSES]
    for start in reversed(starts):
        chunk = chunk[:start] + _redacted_address(chunk[start:])
    if encodings and "%" in chunk:
        decoded = urllib.parse.unquote(chunk)
        if decoded != chunk and _redacted_chunk(decoded, encodings - 1) != decoded:
            return chunk[: starts[0]] + MASK if starts else MASK
    return chunk


def _redacted_address(address: str) -> str:
    """Returns an address, without its scheme, up to the end of its chunk."""
    user_info = _USER_INFO.match(address)
    if user_info:
        address = f"{MASK}@{address[user_info.end() :]}"
    elif _CUT_USER_INFO.match(address):
        return _masked(address)
    return _PARAMETER.sub(_without_value, address)


def _without_value(parameter: re.Match[str]) -> str:
    separator, name, value = parameter.groups()
    if value and _is_secret(urllib.parse.unquote(name)):
        value = _masked(value)
    return f"{separator}{name}={value}"


def _masked(value: str) -> str:
    """Returns the mask with the quotes and punctuation that follow the value in a sentence."""
    return MASK + value[len(value.rstrip(_PUNCTUATION)) :]
