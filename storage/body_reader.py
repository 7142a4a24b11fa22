"""The body of an answer while it comes in: in pieces, never whole, and never shorter than was announced."""

from __future__ import annotations

from http.client import HTTPException

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from storage.base import StorageUnavailable

READ = 256 << 10
"""Bytes in a piece. Larger ones are no faster, and a download holds two of them."""


class BodyReader:
    """An iterator that has the connection until its end, or until it is closed. Raises StorageUnavailable."""

    def __init__(self, response: BaseHTTPResponse, length: int) -> None:
        self._response, self._left = response, length
        self._open = True

    def __iter__(self) -> BodyReader:
        return self

    def __next__(self) -> bytes:
        if not self._open or not self._left:
            self.close()
            raise StopIteration
        try:
            piece = self._response.read(min(READ, self._left))
        except (HTTPError, HTTPException, OSError) as error:
            self.close()
            raise StorageUnavailable("The storage stopped in the middle of the object.") from error
        if not piece:
            self.close()
            raise StorageUnavailable("The storage ended in the middle of the object.")
        self._left -= len(piece)
        if not self._left:
            self.close()
        return piece

    def close(self) -> None:
        """Return the connection to its pool; cut it where not all was read. May be repeated."""
        if self._open:
            self._open = False
            if self._left:
                self._response.close()
            self._response.release_conn()
