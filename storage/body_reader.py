"""Streaming reader of a response body: in chunks, and never shorter than its Content-Length."""

from __future__ import annotations

from http.client import HTTPException

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from storage.base import StorageUnavailable

READ = 256 << 10
"""Bytes in a chunk. Larger ones are not faster, and a download holds two of them."""


class BodyReader:
    """An iterator over the body. Holds the connection until its end or `close`. Raises StorageUnavailable."""

    def __init__(self, response: BaseHTTPResponse, length: int) -> None:
        self._response, self._remaining = response, length
        self._open = True

    def __iter__(self) -> BodyReader:
        return self

    def __next__(self) -> bytes:
        if not self._open or not self._remaining:
            self.close()
            raise StopIteration
        try:
            chunk = self._response.read(min(READ, self._remaining))
        except (HTTPError, HTTPException, OSError) as error:
            self.close()
            raise StorageUnavailable("The storage stopped in the middle of the object.") from error
        if not chunk:
            self.close()
            raise StorageUnavailable("The storage ended in the middle of the object.")
        self._remaining -= len(chunk)
        if not self._remaining:
            self.close()
        return chunk

    def close(self) -> None:
        """Return the connection to its pool; disconnect if the body was not read to its end. May be called again."""
        if self._open:
            self._open = False
            if self._remaining:
                self._response.close()
            self._response.release_conn()
