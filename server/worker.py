"""gunicorn's threaded worker, with threads for requests only: slow heads and endings wait in its poller.

The main thread reads heads, never waiting; a thread gets the connection when all of its head is there. After an
answer that ends the connection its client may still send, and would lose the answer to a reset if we just hung up:
what comes is dropped until the client has hung up, within bounds (RFC 9112 §9.6).
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.http import parser, wsgi
from gunicorn.workers.gthread import ThreadWorker

from logs import for_request
from problems import HeadersTooLarge, Problem, RequestTimeout
from server.addresses import network, peer_address
from server.body import ExpectedBody, Unreader, has_unread_body
from server.deadlines import Deadlines, index_to_evict, is_readable
from server.error_responses import BoundedResponse, error_response, to_problem
from server.min_rate import MinRate
from server.outgoing import SendSlots
from server.request_head import HeadState, head_state
from server.request_ids import request_id

TICK = 0.5
"""Seconds after which a socket without a byte gives up, to be asked again: the precision of a stall."""

LINGER_BYTES = 256 << 20
"""What may come after an answer that has ended the connection, within another stall's time."""

_NEARLY_FULL = 0.9
"""Share of gunicorn's `worker_connections` from which on a new connection costs one that waits its place."""

_DRAIN = 256 << 10

_STOPS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Needs an app with Ferry's settings. The main thread runs all of this but `handle` and what it calls."""

    when_stopping: Callable[[], None] = staticmethod(lambda: None)
    """Called by the main thread: a signal's handler could wait for a lock that the code it came upon holds."""

    def init_process(self) -> None:
        # gunicorn makes these itself and has no setting for their classes.
        wsgi.Response, parser.SocketUnreader = BoundedResponse, Unreader
        super().init_process()

    def init_signals(self) -> None:
        super().init_signals()
        _block_stop_signals(False)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        settings = self.wsgi.config["FERRY"]
        self._stall, self._rate = settings.body_timeout, settings.min_upload_rate
        self._readable = bool(settings.cors_origins)
        BoundedResponse.places = SendSlots(max(1, min(settings.max_transfers, settings.web_threads - 1)))
        BoundedResponse.pace = partial(MinRate, self._stall, self._rate)
        self._heads = Deadlines(self.poller, self._stall)
        self._lingering = Deadlines(self.poller, self._stall)
        self._opening: dict[Any, float] = {}
        self._crowded_out: Counter[str] = Counter()
        self._reported = 0.0
        for listener in self.sockets:
            if hasattr(socket, "TCP_DEFER_ACCEPT") and listener.family != socket.AF_UNIX:
                # The kernel keeps a connection for itself until something has come: mostly it is the whole head.
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)

    def accept(self, listener: Any) -> None:
        """Where no more files may be opened the next client waits, and nobody who is served is hurt."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            time.sleep(0.01)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        # Not in `accept`: an event of the connection that goes might be the next of the same turn.
        while self.nr_conns > _NEARLY_FULL * self.worker_connections and self._make_room():
            pass
        super().wait_for_and_dispatch_events(timeout)

    def _make_room(self) -> bool:
        """End one connection that waits, of the client that has the most of them.

        False: most are at work, or that one has just got its next request.

        Those that are idle between two requests go first: their client opens another.
        """
        waiting = [*self.keepalived_conns, *self.pending_conns, *self._heads, *self._lingering]
        if 2 * len(waiting) < self.nr_conns:
            return False
        clients = [network(peer_address(conn.client)) for conn in waiting]
        number = index_to_evict(clients)
        conn, client = waiting[number], clients[number]
        if conn not in self.keepalived_conns:
            self._end_waiting(conn)
        elif not self._end_idle(conn):
            return False
        self._crowded_out[client] += 1
        return True

    def _end_waiting(self, conn: Any) -> None:
        """Close a connection that waits for a head or for its client to hang up. A begun head is answered."""
        if conn in self._heads:
            with suppress(OSError):
                problem = RequestTimeout("Too many connections wait.")
                conn.sock.send(error_response(problem, request_id(None), readable=self._readable), socket.MSG_DONTWAIT)
        self._heads.remove(conn)
        self._lingering.remove(conn)
        if conn in self.pending_conns:
            self.pending_conns.remove(conn)
            self.poller.unregister(conn.sock)
        self._close(conn)

    def _end_idle(self, conn: Any) -> bool:
        """Close a connection between two requests. False: the next one has just come, and is served (RFC 9112 §9.5).

        A reset would make a proxy answer 502.
        """
        self.keepalived_conns.remove(conn)
        self.poller.unregister(conn.sock)
        if is_readable(conn.sock):
            self.enqueue_req(conn)
            return False
        self._close(conn)
        return True

    def enqueue_req(self, conn: Any) -> None:
        """Have a thread handle the request whose first bytes may be there, once its head is whole."""
        if not conn.initialized:
            self._bound(conn.sock)
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
        else:
            self._look(conn, conn.sock)

    def _bound(self, sock: socket.socket) -> None:
        """Let nothing wait for the client for ever. Not set on the listener: who connected before it would escape."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(TICK))
        # What the first half of a stall has still sent is no failure yet, the second is.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(self._stall / 2))

    def _look(self, conn: Any, _: socket.socket) -> None:
        conn.init()
        came = conn.parser.unreader.early()
        verdict = head_state(came, self.cfg.limit_request_line, getattr(conn, "judged", 0))
        conn.judged = len(came) if came and verdict is HeadState.MORE else 0
        if verdict is HeadState.MORE:
            self._heads.add(conn, self._look)
            return
        self._heads.remove(conn)
        if verdict is HeadState.WHOLE:
            super().enqueue_req(conn)
        elif verdict is HeadState.TOO_LARGE:
            self._refuse(conn, HeadersTooLarge())
        else:
            self._close(conn)

    def handle(self, conn: Any) -> Any:
        # A TLS head can't be looked at beforehand: it has a thread, but no longer than any other.
        if self.cfg.is_ssl:
            self._opening[conn] = time.monotonic() + self._stall
        try:
            return super().handle(conn)
        finally:
            self._opening.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        self._opening.pop(conn, None)
        conn.parser.unreader.pace = MinRate(self._stall, self._rate)
        if self.cfg.is_ssl:
            conn.sock.settimeout(self._stall)
        if req._expected_100_continue:
            req._expected_100_continue = False
            if has_unread_body(req.body):
                req.body = ExpectedBody(req.body.reader, conn.sock)
        try:
            return super().handle_request(req, conn)
        except (BlockingIOError, TimeoutError) as error:
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read its answer") from error

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        if isinstance(exc, ssl.SSLError):
            return
        problem, id = to_problem(exc), request_id(None)
        if type(problem) is Problem:
            self.log.exception("unexpected failure outside of the app", extra=for_request(id))
        else:
            who, why = peer_address(addr), type(exc).__name__
            self.log.warning("%s refused: %s (%s)", who, problem.slug(), why, extra=for_request(id))
        with suppress(OSError):
            client.sendall(error_response(problem, id, readable=self._readable))

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Called at least every second: close connections that were idle for too long; `force`: all that are idle."""
        if force:
            super().murder_keepalived(force=True)
        now = time.monotonic()
        while self.keepalived_conns and self.keepalived_conns[0].timeout <= now:
            self._end_idle(self.keepalived_conns[0])

    def murder_pending(self) -> None:
        """Called at least every second: end what has waited for too long."""
        super().murder_pending()
        self._report()
        for conn in self._heads.overdue():
            if conn.parser.unreader.buf.getvalue():
                self._refuse(conn, RequestTimeout("The head of the request did not come in time."))
            else:  # A browser that opened it in advance would show an answer as that to its next request.
                self._close(conn)
        for conn in self._lingering.overdue():
            self._close(conn)
        for conn, deadline in list(self._opening.items()):
            if deadline < time.monotonic():
                with suppress(OSError):
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)

    def _report(self) -> None:
        """Log once a second whose connections were closed to make room: a flood of them is no flood of lines."""
        now = time.monotonic()
        if self._crowded_out and now >= self._reported + 1:
            self._reported = now
            for client, number in self._crowded_out.items():
                self.log.warning("connections nearly full: %d of %s closed", number, client or "a Unix socket")
            self._crowded_out.clear()

    def _cap_keepalive(self, deadline: float) -> None:
        """Called when the process is to stop."""
        super()._cap_keepalive(deadline)
        self.when_stopping()
        for waiting in (self._heads, self._lingering):
            waiting.shorten(deadline - time.monotonic())

    def _refuse(self, conn: Any, problem: Problem) -> None:
        id = request_id(None)
        self.log.warning("%s refused: %s", peer_address(conn.client), problem.slug(), extra=for_request(id))
        with suppress(OSError):
            conn.sock.send(error_response(problem, id, readable=self._readable), socket.MSG_DONTWAIT)
        self._linger(conn)

    def _linger(self, conn: Any) -> None:
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            conn.lingering = LINGER_BYTES
            self._lingering.add(conn, self._drain)
        except OSError:
            self._close(conn)

    def _drain(self, conn: Any, sock: socket.socket) -> None:
        try:
            dropped = len(sock.recv(_DRAIN))
        except BlockingIOError:
            return
        except OSError:
            dropped = 0
        conn.lingering -= dropped
        if not dropped or conn.lingering <= 0:
            self._lingering.remove(conn)
            self._close(conn)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()


def keep_stops_over_forks() -> None:
    """To be called once by the process that forks the workers, with gunicorn's handlers set or not.

    A new worker has its master's handlers until it sets its own. A SIGTERM in between would be noted for a master
    that it is not, and the worker would have to be killed when the time to stop in is over.
    """
    os.register_at_fork(before=lambda: _block_stop_signals(True), after_in_parent=lambda: _block_stop_signals(False))


def _block_stop_signals(held: bool) -> None:
    """Have the kernel keep signals that end the process for later, or deliver them."""
    signal.pthread_sigmask(signal.SIG_BLOCK if held else signal.SIG_UNBLOCK, _STOPS)


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
