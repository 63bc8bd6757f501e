"""A webhook that gets a message as a POST. Its address and headers are secrets and appear in no sentence."""

from __future__ import annotations

import email.message
import http.client
import os
import queue
import threading
import time
import unicodedata
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import IO, NamedTuple

from shortlist.config.notify import NotifyWebhook
from shortlist.errors import ConfigError

_SCHEMES = ("http", "https")
_PAUSES_SECONDS = (1.0, 2.0, 4.0)
_TOO_MANY_REQUESTS = 429


def check(section: NotifyWebhook, environment: Mapping[str, str]) -> None:
    """Refuses variables that are missing or have no valid address or header.

    Raises:
      ConfigError: Names the variable, never its value.
    """
    name = section.url_env
    problem = _problem_of_url(_variable("notify.webhook.url_env", name, environment))
    if problem:
        raise ConfigError.from_parts(
            "notify.webhook.url_env", f"an address such as https://host/path in the variable {name}", problem
        )
    for header, variable in section.headers_env.items():
        where = f"notify.webhook.headers_env.{header}"
        value = _variable(where, variable, environment)
        if not value.isascii() or _unprintable(value):
            raise ConfigError.from_parts(
                where,
                f"one line of ASCII characters in the variable {variable}",
                "other characters, which an HTTP header cannot have",
            )


def post(section: NotifyWebhook, body: bytes, environment: Mapping[str, str]) -> str:
    """Posts a message and returns an empty text, or a sentence if no attempt was answered with a status below 300.

    Args:
      section: The section `notify.webhook`.
      body: The message in JSON.
      environment: Environment variables; `check` accepted them.
    """
    headers = {header: environment[variable] for header, variable in section.headers_env.items()}
    # S310: `check` accepts http and https alone.
    request = urllib.request.Request(  # noqa: S310
        environment[section.url_env],
        data=body,
        headers={"Content-Type": "application/json", "User-Agent": "shortlist", **headers},
        method="POST",
    )
    attempt = _Attempt("")
    for number in range(section.attempts):
        if number:
            time.sleep(_PAUSES_SECONDS[min(number, len(_PAUSES_SECONDS)) - 1])
        attempt = _try(request, section.timeout_seconds)
        if not attempt.problem or not attempt.may_pass:
            break
    if not attempt.problem:
        return ""
    again = f" after {number + 1} attempts" if number else ""
    return f"the address in {section.url_env} {attempt.problem}{again}"


class _Attempt(NamedTuple):
    """The result of one request."""

    problem: str
    """A clause without secrets; empty if the message was delivered."""
    may_pass: bool = False
    """Whether the next attempt may succeed."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Raises an HTTPError instead of following: a redirect would take the secret headers elsewhere, by GET."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage | email.message.Message,
        newurl: str,
    ) -> None:
        return None


def _try(request: urllib.request.Request, timeout_seconds: float) -> _Attempt:
    """Sends a request in a thread of its own.

    The timeout of a socket is one for each read, and resolving a name has none at all. Only a thread that is left
    behind bounds the whole attempt.
    """
    results: queue.SimpleQueue[_Attempt] = queue.SimpleQueue()
    threading.Thread(target=lambda: results.put(_send(request, timeout_seconds)), daemon=True).start()
    try:
        return results.get(timeout=timeout_seconds)
    except queue.Empty:
        return _no_answer(timeout_seconds)


def _send(request: urllib.request.Request, timeout_seconds: float) -> _Attempt:
    # The texts of these exceptions may quote the address.
    try:
        with urllib.request.build_opener(_NoRedirects()).open(request, timeout=timeout_seconds):
            return _Attempt("")
    except urllib.error.HTTPError as error:
        error.close()
        if 300 <= error.code < 400:
            return _Attempt(f"answered with a redirect, status {error.code}, which is not followed")
        return _Attempt(f"answered with status {error.code}", error.code == _TOO_MANY_REQUESTS or error.code >= 500)
    except TimeoutError:
        return _no_answer(timeout_seconds)
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            return _no_answer(timeout_seconds)
        return _Attempt(f"cannot be reached: {_system_text(error.reason)}", may_pass=True)
    except (OSError, http.client.HTTPException) as error:
        return _Attempt(f"broke off the connection: {_system_text(error)}", may_pass=True)
    except Exception as error:
        return _Attempt(f"cannot be used: {type(error).__name__}")


def _no_answer(timeout_seconds: float) -> _Attempt:
    return _Attempt(f"gave no answer within {timeout_seconds:g} s", may_pass=True)


def _system_text(reason: object) -> str:
    """Returns the system's own text for an error number, or the type: other texts may quote an address."""
    number = getattr(reason, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else type(reason).__name__


def _variable(where: str, name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "")
    if not value.strip():
        raise ConfigError.from_parts(
            where,
            f"a value in the environment variable {name}",
            "an unset or empty variable",
            "set it for the process that runs, or remove this part of notify",
        )
    return value


def _problem_of_url(url: str) -> str:
    """Returns what is wrong with an address, without repeating it; empty if it is valid."""
    if _unprintable(url) or " " in url or not url.isascii():
        return "a value with blanks, control characters or other characters than ASCII"
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return "a value that is no address"
    if parts.scheme.lower() not in _SCHEMES or not parts.hostname or port == 0:
        return "a value that is no http or https address"
    if "@" in parts.netloc:
        return "a user or password before the host, for which headers_env is the place"
    return ""


def _unprintable(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)
