"""What keeps Ferry's promises, how to take it out, and the tests that must notice."""

from __future__ import annotations

from tests.faults.safeguards import http, lifecycle, relay, storage

SAFEGUARDS = http.SAFEGUARDS + storage.SAFEGUARDS + lifecycle.SAFEGUARDS + relay.SAFEGUARDS
