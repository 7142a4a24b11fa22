"""How gunicorn serves Ferry. Most values were measured; the reason stands beside each that looks odd."""

import ctypes
import os
import resource
import sys
from contextlib import suppress
from functools import partial

import logs
import shutdown
from app import create_app
from auth.exposure import check_exposure
from config import ConfigError, load
from server.worker import keep_stops_over_forks
from services import current_services

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc

try:
    _settings = load()
except ConfigError as error:
    sys.exit(str(error))

# Each connection is an open file, and the usual soft limit is hardly more than the 1000 connections of one worker.
_, _most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
with suppress(ValueError):  # macOS says "unlimited", and then does not allow it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most_files, _most_files))

bind = _settings.bind
workers = _settings.web_workers
threads = _settings.web_threads
worker_class = "server.worker.Worker"
preload_app = False  # Clients and threads are made after the fork.
timeout = 60
graceful_timeout = _settings.shutdown_timeout
keepalive = _settings.keepalive_timeout
max_requests = 0  # Recycling a worker kills its background uploads.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # The heartbeat file must not wait for a disk.
control_socket_disable = True  # One path for all instances, and an error where HOME can't be written.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ""  # FORWARDED_HOPS alone decides; gunicorn would believe whatever comes from this machine.
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'  # No query string: it may hold names and tokens.
logconfig_dict = logs.logging_config(_settings.log_format)


def on_starting(server):
    os.umask(0o077)  # What Ferry writes is for its own user alone. `--daemon` sets another before this.
    keep_stops_over_forks()


def when_ready(server):
    """Nobody is let in by accident, whatever `bind` the command line says."""
    app = create_app()
    try:
        check_exposure(app, [listener.sock.getsockname() for listener in server.LISTENERS])
    except ConfigError as error:
        sys.exit(str(error))
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def post_fork(server, worker):
    """Let the threads share two heaps: with one each, glibc keeps some MiB for each that ever took an upload.

    And let them keep what one upload turns over. Given back after every piece, it would have to be cleared by the
    kernel for the next one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 4 << 20)
        mallopt(_M_TRIM_THRESHOLD, 16 << 20)


def post_worker_init(worker):
    """Sweep; and let a stopped process hand back what it can't finish in time, before its master kills it."""
    with worker.wsgi.app_context():
        current_services().sweeper.start()
    limit = max(graceful_timeout - 5, graceful_timeout / 2)
    worker.when_stopping = partial(shutdown.begin, worker.wsgi, limit)


def worker_exit(server, worker):
    """Finish the files in hand; those that wait are rows and will be found again."""
    shutdown.close(worker.wsgi)
