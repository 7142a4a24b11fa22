"""The API's own bounds. Views enforce them, the OpenAPI document and error details print them."""

from __future__ import annotations

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20
"""Files of a page of `GET /files`."""

MAX_IDS = 100
"""Ids of one JSON body (`POST /files/status`, `POST /files/delete`)."""

MAX_ARCHIVE_FILES = 1000
"""Files of one `GET /files.zip`."""

MAX_WAIT = 60
"""Seconds of `wait` in `GET /files/<id>`."""

DEFAULT_LINK_TTL = 300
MAX_LINK_TTL = 900
"""Seconds for which a presigned URL works."""

MAX_TTL = 315_360_000
"""Seconds of `expires_in`: ten years."""
