"""Checks of network addresses: a dead address is an error within seconds, not a hang."""

from __future__ import annotations

import socket

from shortlist.errors import BadInputError

ANSWER_SECONDS = 5.0


def check_answers(host: str, port: int, key: str, remedy: str) -> None:
    """Raises an error if no server accepts a connection.

    Args:
      host: Name or address.
      port: TCP port.
      key: The config key of the address.
      remedy: Advice for the error.

    Raises:
      BadInputError: No server answers within `ANSWER_SECONDS`.
    """
    try:
        socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise BadInputError.from_reason(key, f"a server at {host}:{port}", reason, remedy) from None


def is_taken(port: int) -> bool:
    """Returns whether a server listens at a port of this machine."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
