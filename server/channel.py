"""Messages between the server and the processes of its versions: pickled objects over Unix sockets.

The sockets have no name, so no other program can send a message.
"""

from __future__ import annotations

import asyncio
import pickle  # noqa: TID251  A message is from a process that this server forked.
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("<Q")
_CHUNK = 1 << 18


class GoneError(Exception):
    """The process at the other end has ended, or takes no more messages."""


def _packed(message: Any) -> bytes:
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(content)) + content


def send(connection: socket.socket, message: Any) -> None:
    """Sends a message.

    Raises:
      GoneError: The other end has ended.
    """
    try:
        connection.sendall(_packed(message))
    except OSError as error:
        raise GoneError(str(error)) from None


def receive(connection: socket.socket) -> Any:
    """Returns the next message.

    Raises:
      GoneError: The other end has ended.
      TimeoutError: The connection has a timeout, and nothing came within it.
    """
    content = bytearray()
    while (missing := _missing(content)) > 0:
        try:
            chunk = connection.recv(max(missing, _CHUNK))
        except TimeoutError:
            raise
        except OSError as error:
            raise GoneError(str(error)) from None
        if not chunk:
            raise GoneError("end of the messages")
        content += chunk
    return _unpacked(content)


async def exchange(connection: socket.socket, message: Any) -> Any:
    """Sends a message and returns the reply. The socket does not block, and has no other message under way.

    Raises:
      GoneError: The other end has ended.
    """
    loop = asyncio.get_running_loop()
    content = bytearray()
    try:
        await loop.sock_sendall(connection, _packed(message))
        while (missing := _missing(content)) > 0:
            chunk = await loop.sock_recv(connection, max(missing, _CHUNK))
            if not chunk:
                raise GoneError("end of the messages")
            content += chunk
    except OSError as error:
        raise GoneError(str(error)) from None
    return _unpacked(content)


def _missing(content: bytearray) -> int:
    """Returns the number of bytes that a message still lacks. At most one message is under way per direction."""
    if len(content) < _LENGTH.size:
        return _LENGTH.size - len(content)
    return int(_LENGTH.size + _LENGTH.unpack_from(content)[0] - len(content))


def _unpacked(content: bytearray) -> Any:
    return pickle.loads(memoryview(content)[_LENGTH.size :])  # noqa: S301  From a process of this server.
