"""Asks whether somebody listens at an address, so that a dead one is an error in seconds and no hang."""

from __future__ import annotations

import socket

from shortlist.errors import BadInputError

ANSWER_SECONDS = 5.0


def check_answers(host: str, port: int, key: str, remedy: str) -> None:
    """Refuses an address at which nobody accepts a connection.

    Args:
      host: Name or address.
      port: TCP port.
      key: The config's key that names it.
      remedy: What to do.

    Raises:
      BadInputError: Nobody answers within `ANSWER_SECONDS`.
    """
    try:
        socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise BadInputError.from_reason(key, f"a server at {host}:{port}", why, remedy) from None


def is_taken(port: int) -> bool:
    """Returns whether something listens at a port of this machine."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
