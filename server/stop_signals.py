"""Stop signals while gunicorn forks its workers."""

from __future__ import annotations

import os
import signal

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


def block_over_forks() -> None:
    """Block the stop signals around every fork of this process. Call it once in the process that forks the workers.

    A new worker has its master's signal handlers until it installs its own. They would record a SIGTERM for a master
    that the worker is not, and it would have to be killed at the end of the shutdown time-out. Blocked signals are
    delivered when the worker calls `unblock`.
    """
    os.register_at_fork(before=_block, after_in_parent=unblock)


def unblock() -> None:
    """Deliver stop signals again."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
