"""A body is sent with exactly the announced length, or its connection is cut."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from itertools import islice

import pytest
from flask import Flask

from api.streaming import SEND_TIMEOUT, enforce_length, rechunk, streaming_response
from storage.base import StorageMismatch, StorageUnavailable
from tests.fakes import breaking, chunks


@pytest.mark.parametrize("sizes", [[], [3], [1, 2, 3], [0, 5, 0]])
def test_a_body_of_the_announced_length_passes(sizes: list[int]) -> None:
    assert [len(piece) for piece in enforce_length(chunks(*sizes), sum(sizes))] == sizes


@pytest.mark.parametrize(("sizes", "size"), [([], 1), ([3], 4), ([3, 3], 7), ([4], 3), ([3, 1], 3), ([1], 0)])
def test_a_body_of_another_length_raises_and_is_never_too_long(sizes: list[int], size: int) -> None:
    sent: list[bytes] = []
    with pytest.raises(StorageMismatch):
        sent.extend(enforce_length(chunks(*sizes), size))

    assert len(b"".join(sent)) <= size


@pytest.mark.parametrize("sizes", [[], [1], [0], [10] * 20_000, [70_000] * 3, [1, 300_000, 1], [65_535, 1, 1]])
def test_small_chunks_are_joined(sizes: list[int]) -> None:
    pieces = list(rechunk(chunks(*sizes)))

    assert b"".join(pieces) == b"".join(chunks(*sizes))
    assert all(len(piece) >= 65_536 for piece in pieces[:-1])


def test_an_error_before_the_first_byte_is_raised(app: Flask) -> None:
    with app.test_request_context(), ExitStack() as held, pytest.raises(StorageUnavailable):
        streaming_response(islice(breaking(b"", StorageUnavailable()), 1, None), 200, {}, held)


@pytest.mark.parametrize("read", [0, 1, 2, 3])
def test_resources_are_released_once_wherever_the_reader_stops(app: Flask, read: int) -> None:
    ended: list[str] = []
    with app.test_request_context():
        with ExitStack() as held:
            held.callback(ended.append, "held")
            answer = streaming_response(chunks(1, 1, 1), 200, {}, held)
        body = answer.iter_encoded()
        for _ in range(read):
            next(body)
        assert ended == []
        answer.close()

    assert ended == ["held"]


def test_sending_a_chunk_has_a_timeout(app: Flask) -> None:
    server, client = socket.socketpair()
    with server, client, app.test_request_context(environ_overrides={"gunicorn.socket": server}), ExitStack() as held:
        streaming_response(chunks(1), 200, {}, held)

        assert server.gettimeout() == SEND_TIMEOUT
