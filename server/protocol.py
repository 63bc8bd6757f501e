"""The HTTP connection: uvicorn's, with limits on the size of headers and on the time of a request's arrival."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MAX_HEADER_BYTES = 65_536
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def limited_protocol(seconds: float) -> type[HttpToolsProtocol]:
    """Returns the class of connections.

    Args:
      seconds: Time for a client to send a request, from its first byte, or from the opening of the connection.
    """

    class LimitedProtocol(HttpToolsProtocol):
        """A connection that is closed if a request arrives too slowly or with too many headers."""

        _timer: asyncio.TimerHandle | None = None
        _header_bytes = 0
        _in_headers = True

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._timer = self.loop.call_later(seconds, self._close, _TOO_SLOW)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._in_headers:
                self._header_bytes += len(data)
            super().data_received(data)
            if self._in_headers and self._header_bytes > _MAX_HEADER_BYTES:
                self._close(_TOO_LARGE)

        def on_message_begin(self) -> None:
            self._in_headers = True
            if self._timer is None:
                self._timer = self.loop.call_later(seconds, self._close, _TOO_SLOW)
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._in_headers, self._header_bytes = False, 0
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._in_headers = True
            self._stop_timer()
            super().on_message_complete()

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _close(self, answer: bytes) -> None:
            self._stop_timer()
            if not self.transport.is_closing():
                # An answer that has begun must not be followed by another one.
                if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                    self.transport.write(answer)
                self.transport.close()

    return LimitedProtocol
