"""gunicorn's settings and hooks for Ferry. Most values were measured; comments give the reason for unusual ones."""

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
from server import stop_signals
from services import current_services

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc

try:
    _settings = load()
except ConfigError as error:
    sys.exit(str(error))

# Each connection is an open file, and the usual soft limit is hardly more than the 1000 connections of one worker.
_, _max_files = resource.getrlimit(resource.RLIMIT_NOFILE)
with suppress(ValueError):  # macOS reports "unlimited" and then refuses it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (_max_files, _max_files))

bind = _settings.bind
workers = _settings.web_workers
threads = _settings.web_threads
worker_class = "server.worker.Worker"
preload_app = False  # Clients and threads are created after the fork.
timeout = 60
graceful_timeout = _settings.shutdown_timeout
keepalive = _settings.keepalive_timeout
max_requests = 0  # Recycling a worker kills its background uploads.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # The heartbeat file must not wait for a disk.
control_socket_disable = True  # Its path is the same for all instances, and start-up fails if HOME is not writable.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ""  # FORWARDED_HOPS decides; by default gunicorn trusts X-Forwarded-* from this machine.
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'  # No query string: it may contain names and tokens.
logconfig_dict = logs.logging_config(_settings.log_format)


def on_starting(server):
    os.umask(0o077)  # Files of Ferry are private to its user. `--daemon` sets another umask before this hook.
    stop_signals.block_over_forks()


def when_ready(server):
    """Refuse to serve anonymous clients by accident. Checks the real sockets: the command line may set `bind`."""
    app = create_app()
    try:
        check_exposure(app, [listener.sock.getsockname() for listener in server.LISTENERS])
    except ConfigError as error:
        sys.exit(str(error))
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def post_fork(server, worker):
    """Tune glibc's malloc for threads that receive uploads.

    Two heaps for all threads: with one each, glibc keeps some MiB for every thread that ever received an upload. And
    keep freed chunks of an upload's size: memory returned to the kernel has to be cleared again for the next chunk.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 4 << 20)
        mallopt(_M_TRIM_THRESHOLD, 16 << 20)


def post_worker_init(worker):
    """Start the sweeper. At a stop, requeue files that can't be finished before the master kills the process."""
    with worker.wsgi.app_context():
        current_services().sweeper.start()
    limit = max(graceful_timeout - 5, graceful_timeout / 2)
    worker.on_stop = partial(shutdown.begin, worker.wsgi, limit)


def worker_exit(server, worker):
    """Finish the files being stored. Those that wait are rows in the database and will be found again."""
    shutdown.close(worker.wsgi)
