"""gunicorn's threaded worker, with threads for complete requests only.

The main thread reads request heads without waiting, and a thread gets the connection when its head is complete. Slow
heads and closing connections wait in the main thread's poller.
"""

from __future__ import annotations

import errno
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.http import parser, wsgi
from gunicorn.workers.gthread import ThreadWorker
from typing_extensions import override

from logs import for_request
from problems import HeadersTooLarge, Problem, RequestTimeout
from server import stop_signals
from server.addresses import network, peer_address
from server.body import ExpectedBody, has_body_in_flight
from server.error_responses import error_response, to_problem
from server.eviction import HIGH_WATER, EvictionLog, index_to_evict
from server.lingering import LingeringClose
from server.min_rate import MinRate
from server.outgoing import SendSlots
from server.request_head import HeadState, head_state
from server.request_ids import request_id
from server.responses import LimitedResponse
from server.sockets import defer_accept, is_readable, set_timeouts
from server.unreader import Unreader
from server.waiting_connections import WaitingConnections


class Worker(ThreadWorker):  # type: ignore[misc]
    """Serves an app that has Ferry's settings. Everything but `handle` and its callees runs in the main thread."""

    on_stop: Callable[[], None] = staticmethod(lambda: None)
    """Called in the main thread. Not by the signal handler: it may take a lock that the interrupted thread holds."""

    @override
    def init_process(self) -> None:
        # gunicorn creates these itself and has no setting for their classes.
        wsgi.Response, parser.SocketUnreader = LimitedResponse, Unreader
        super().init_process()

    @override
    def init_signals(self) -> None:
        super().init_signals()
        stop_signals.unblock()

    @override
    def load_wsgi(self) -> None:
        super().load_wsgi()
        settings = self.wsgi.config["FERRY"]
        self._body_timeout, self._min_rate = settings.body_timeout, settings.min_upload_rate
        self._readable = bool(settings.cors_origins)
        LimitedResponse.slots = SendSlots(max(1, min(settings.max_transfers, settings.web_threads - 1)))
        LimitedResponse.new_min_rate = partial(MinRate, self._body_timeout, self._min_rate)
        self._heads = WaitingConnections(self.poller, self._body_timeout)
        self._lingering = LingeringClose(self.poller, self._body_timeout, self._close)
        self._tls_deadlines: dict[Any, float] = {}
        self._evictions = EvictionLog(self.log.warning)
        for listener in self.sockets:
            defer_accept(listener)

    @override
    def accept(self, listener: Any) -> None:
        # Out of file descriptors: the next client waits in the backlog, and open connections are served.
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            time.sleep(0.01)

    @override
    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        # Not in `accept`: the next event of the same iteration might belong to the connection that is closed.
        while self.nr_conns > HIGH_WATER * self.worker_connections and self._evict():
            pass
        super().wait_for_and_dispatch_events(timeout)

    def _evict(self) -> bool:
        """Close a waiting connection of the client that has the most of them, idle ones first: clients reopen those.

        False if most connections are being served, or if the chosen one has just received its next request.
        """
        waiting = [*self.keepalived_conns, *self.pending_conns, *self._heads, *self._lingering]
        if 2 * len(waiting) < self.nr_conns:
            return False
        clients = [network(peer_address(conn.client)) for conn in waiting]
        index = index_to_evict(clients)
        conn = waiting[index]
        if conn not in self.keepalived_conns:
            self._close_waiting(conn)
        elif not self._close_idle(conn):
            return False
        self._evictions.record(clients[index])
        return True

    def _close_waiting(self, conn: Any) -> None:
        """Close a connection that waits for a head or for the client to close. An incomplete head gets a response."""
        if conn in self._heads:
            self._send_error(conn, RequestTimeout("Too many connections wait."), request_id(None))
        self._heads.remove(conn)
        self._lingering.remove(conn)
        if conn in self.pending_conns:
            self.pending_conns.remove(conn)
            self.poller.unregister(conn.sock)
        self._close(conn)

    def _close_idle(self, conn: Any) -> bool:
        """Close a connection between two requests. False if the next one has arrived and is served (RFC 9112 §9.5).

        A reset would make a proxy answer that request with 502.
        """
        self.keepalived_conns.remove(conn)
        self.poller.unregister(conn.sock)
        if is_readable(conn.sock):
            self.enqueue_req(conn)
            return False
        self._close(conn)
        return True

    @override
    def enqueue_req(self, conn: Any) -> None:
        # Called when the first bytes of a request may have arrived. A thread gets it once its head is complete.
        if not conn.initialized:
            set_timeouts(conn.sock, self._body_timeout)
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
        else:
            self._read_head(conn, conn.sock)

    def _read_head(self, conn: Any, _: socket.socket) -> None:
        conn.init()
        unreader = conn.parser.unreader
        head = unreader.read_head()
        state = head_state(head, self.cfg.limit_request_line, unreader.scanned)
        unreader.scanned = len(head) if head and state is HeadState.INCOMPLETE else 0
        if state is HeadState.INCOMPLETE:
            self._heads.add(conn, self._read_head)
            return
        self._heads.remove(conn)
        if state is HeadState.PARSABLE:
            super().enqueue_req(conn)
        elif state is HeadState.TOO_LARGE:
            self._refuse(conn, HeadersTooLarge())
        else:
            self._close(conn)

    @override
    def handle(self, conn: Any) -> Any:
        # A head over TLS can't be read by the main thread: it occupies a thread, but no longer than other heads wait.
        if self.cfg.is_ssl:
            self._tls_deadlines[conn] = time.monotonic() + self._body_timeout
        try:
            return super().handle(conn)
        finally:
            self._tls_deadlines.pop(conn, None)

    @override
    def handle_request(self, req: Any, conn: Any) -> Any:
        self._tls_deadlines.pop(conn, None)
        conn.parser.unreader.min_rate = MinRate(self._body_timeout, self._min_rate)
        if self.cfg.is_ssl:
            conn.sock.settimeout(self._body_timeout)
        if req._expected_100_continue:
            req._expected_100_continue = False
            if has_body_in_flight(req.body):
                req.body = ExpectedBody(req.body.reader, conn.sock)
        try:
            return super().handle_request(req, conn)
        except (BlockingIOError, TimeoutError) as error:
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read the response") from error

    @override
    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        if isinstance(exc, ssl.SSLError):
            return
        problem, id = to_problem(exc), request_id(None)
        if type(problem) is Problem:
            self.log.exception("server.unexpected_error: not handled by the app", extra=for_request(id))
        else:
            values = problem.slug(), peer_address(addr), type(exc).__name__
            self.log.warning("request.refused: %s, address %s, %s", *values, extra=for_request(id))
        with suppress(OSError):
            client.sendall(error_response(problem, id, readable=self._readable))

    @override
    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._lingering.add(conn)

    @override
    def murder_keepalived(self, force: bool = False) -> None:
        # Called at least every second. `force`: close idle connections that have not timed out too.
        if force:
            super().murder_keepalived(force=True)
        now = time.monotonic()
        while self.keepalived_conns and self.keepalived_conns[0].timeout <= now:
            self._close_idle(self.keepalived_conns[0])

    @override
    def murder_pending(self) -> None:
        # Called at least every second: end the connections that have timed out.
        super().murder_pending()
        self._evictions.flush()
        for conn in self._heads.overdue():
            if conn.parser.unreader.buf.getvalue():
                self._refuse(conn, RequestTimeout("The head of the request did not come in time."))
            else:  # A browser that opened it in advance would take a response as the one to its next request.
                self._close(conn)
        self._lingering.close_overdue()
        for conn, deadline in list(self._tls_deadlines.items()):
            if deadline < time.monotonic():
                with suppress(OSError):
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)

    @override
    def _cap_keepalive(self, deadline: float) -> None:
        # Called when the process is to stop.
        super()._cap_keepalive(deadline)
        self.on_stop()
        for waiting in (self._heads, self._lingering):
            waiting.shorten(deadline - time.monotonic())

    def _refuse(self, conn: Any, problem: Problem) -> None:
        id = request_id(None)
        address = peer_address(conn.client)
        self.log.warning("request.refused: %s, address %s", problem.slug(), address, extra=for_request(id))
        self._send_error(conn, problem, id)
        self._lingering.add(conn)

    def _send_error(self, conn: Any, problem: Problem, id: str) -> None:
        with suppress(OSError):
            conn.sock.send(error_response(problem, id, readable=self._readable), socket.MSG_DONTWAIT)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()
