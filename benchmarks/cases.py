"""What is measured: one function a question. Each compares in turns, in one run, and returns rows for the report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from lab import Lab, Server, stored
from measure import Spread, by_turns, cpu_seconds, peak_rss, ratio, reset_peak, rss, tree
from rows import GIB, MB, MIB, Row, median, peak, rows_of
from upload import together, upload_form, upload_tus

BLOCK = 8 * MIB


def null_sink(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """Normal uploads to a storage that costs next to nothing, Ferry against its peers."""
    sink = lab.sink()
    ferry, (naive, _) = lab.ferry(sink), lab.naive(sink)
    tus, multer = lab.node("tus", sink), lab.node("multer", sink)
    out = {}
    for size, label in ((GIB, "1 GiB"), (100 * MB, "100 MB"), (10 * MB, "10 MB")):
        file = lab.file(size)
        variants: dict[str, Callable[[], float]] = {
            "Ferry, normal": _upload(ferry, "/normal_upload", file),
            "boto3 upload_fileobj, default": lambda file=file: lab.direct("default", sink, file),
            "boto3 upload_fileobj, same settings and integrity": lambda file=file: lab.direct("tuned", sink, file),
            "aiobotocore, 8 MiB × 4": lambda file=file: lab.aiobotocore(sink, file),
            "the naive app, normal": _upload(naive, "/normal_upload", file),
        }
        if tus and multer:
            variants["@tus/server + s3-store"] = lambda file=file: upload_tus(tus.port, "/files", file).seconds
            variants["multer-s3"] = _upload(multer, "/upload", file)
        found = by_turns(variants, rounds)
        target = {"1 GiB": {"Ferry, normal": 0.45}, "10 MB": {"Ferry, normal": 0.65}}.get(label, {})
        rows = rows_of(found, "boto3 upload_fileobj, default", size, target)
        against = ratio(found, "Ferry, normal", "boto3 upload_fileobj, same settings and integrity")
        same = "Ferry ÷ boto3 with the same settings and integrity"
        rows.append(Row(same, str(against), against.median, 0.95 if size == GIB else None))
        out[f"Normal, {label}, null sink (ratio to boto3's default)"] = rows
    return out


def slow_sink(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """Storage and client both at 50 MB/s, 20 ms away: what is left to win is overlap."""
    sink = lab.sink(rate=50 * MB, latency=20)
    ferry = lab.ferry(sink)
    rows = []
    for size, label, target in ((10 * MB, "10 MB", 1.25), (100 * MB, "100 MB", 1.05), (GIB, "1 GiB", 1.02)):
        file = lab.file(size)
        found = by_turns(
            {
                "ferry": lambda file=file: upload_form(ferry.port, "/normal_upload", file, rate=50 * MB).seconds,
                "direct": lambda file=file: lab.direct("default", sink, file),
            },
            max(2, rounds // 2) if size == GIB else rounds,
            warm_up=0 if size == GIB else 1,
        )
        against = ratio(found, "ferry", "direct")
        text = f"{median(found, 'ferry'):.2f} s against {median(found, 'direct'):.2f} s, ratio {against}"
        rows.append(Row(label, text, against.median, target))
    return {"Normal, storage and client at 50 MB/s, 20 ms (ratio to boto3's default, which has the file already)": rows}


def memory(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """Peak RSS of the web process over what it holds before any large upload."""
    sink = lab.sink()
    ferry = lab.ferry(sink)
    worker = Server(ferry.port, tree(ferry.pid)[-1])
    gib, hundred = lab.file(GIB), lab.file(100 * MB)
    _upload(ferry, "/normal_upload", lab.file(MB))()
    before = rss(worker.pid)

    def growth(run: Callable[[], object]) -> float:
        reset_peak(worker.pid)
        run()
        return (peak_rss(worker.pid) - before) / MIB

    def once(file: Path) -> Callable[[], object]:
        return lambda: upload_form(ferry.port, "/normal_upload", file).json()

    small = growth(lambda: [once(hundred)() for _ in range(5)])
    one = growth(once(gib))
    ten = growth(once(lab.file(10 * GIB)))
    os.unlink(lab.file(10 * GIB))
    eight = growth(lambda: together([lambda: upload_form(ferry.port, "/normal_upload", gib) for _ in range(8)]))
    rows = [
        Row("one upload of 1 GiB", f"+{one:.0f} MiB", one, 40),
        Row("eight uploads of 1 GiB at once", f"+{eight:.0f} MiB", eight, 140),
        Row("100 MB against 10 GiB", f"+{small:.0f} and +{ten:.0f} MiB", abs(ten - small), 8),
    ]
    return {f"Memory: peak RSS of the web process over {before / MIB:.0f} MiB when idle": rows}


def answers(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """How soon the modes that answer first answer, against receiving the form and dropping it."""
    sink, redis, discard = lab.sink(), lab.redis(), lab.discard()
    shm = Path("/dev/shm") / f"ferry-bench-{os.getpid()}"
    spools = (
        {"spool on disk": {}, "spool in memory": {"SPOOL_DIR": str(shm)}}
        if shm.parent.exists()
        else {"spool on disk": {}}
    )
    rows = []
    for place, settings in spools.items():
        ferry = lab.ferry(sink, redis, **settings)
        for mode, size, label, target in (
            ("async", 10 * MB, "10 MB", 1.25), ("async", GIB, "1 GiB", 1.35), ("celery", 10 * MB, "10 MB", 1.3)
        ):  # fmt: skip
            file = lab.file(size)
            found = by_turns(
                {"ferry": _then_idle(ferry, mode, file), "discard": _upload(discard, "/discard", file)},
                rounds,
            )
            against = ratio(found, "ferry", "discard")
            millis = [median(found, name) * 1000 for name in ("ferry", "discard")]
            text = f"{millis[0]:.1f} ms against {millis[1]:.1f} ms, ratio {against}"
            rows.append(Row(f"{mode}, {label}, {place}", text, against.median, target))
    if shm.exists():
        for left in shm.iterdir():
            left.unlink()
        shm.rmdir()
    return {"Answers: time until 202 ÷ receive-and-discard": rows}


def celery(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """From the first byte sent to COMPLETE through a worker, and what that takes in memory."""
    sink, redis, naive_redis = lab.sink(), lab.redis(), lab.redis()
    env = lab.ferry_env(sink, redis)
    ferry = lab.ferry(sink, redis, **env)
    worker = lab.ferry_worker(env)
    naive, naive_env = lab.naive(sink, naive_redis)
    lab.naive_worker(naive_env)
    file, gib = lab.file(100 * MB), lab.file(GIB)
    found = by_turns(
        {
            "Ferry": lambda: stored(ferry, "/celery_upload", file),
            "the naive app": lambda: stored(naive, "/celery_upload", file),
        },
        max(2, rounds // 2),
    )
    against = ratio(found, "Ferry", "the naive app")
    medians = [median(found, name) for name in ("Ferry", "the naive app")]
    for pid in (redis.pid, worker.pid):
        reset_peak(pid)
    gib_seconds = stored(ferry, "/celery_upload", gib)
    held = [max(peak(pid) for pid in tree(each)) / MB for each in (redis.pid, worker.pid)]
    rows = [
        Row(
            "100 MB COMPLETE", f"{medians[0]:.2f} s against {medians[1]:.2f} s, ratio {against}", against.median, 1 / 15
        ),
        Row("peak RSS of Redis, 1 GiB", f"{held[0]:.0f} MB", held[0], 160),
        Row("peak RSS of the worker's process, 1 GiB", f"{held[1]:.0f} MB", held[1], 160),
        Row("1 GiB COMPLETE", f"{gib_seconds:.2f} s", gib_seconds),
    ]
    return {"Celery, through the window in Redis": rows}


def by_size(lab: Lab, rounds: int) -> dict[str, list[tuple[float, float, float]]]:
    """For the picture: (size in bytes, MB/s, peak RSS growth in MiB) of Ferry and of the naive app."""
    sink = lab.sink()
    ferry, (naive, _) = lab.ferry(sink), lab.naive(sink)
    out: dict[str, list[tuple[float, float, float]]] = {"Ferry, normal": [], "the naive app, normal": []}
    before = {server.port: rss(tree(server.pid)[-1]) for server in (ferry, naive)}
    for size in (MB, 10 * MB, 100 * MB, 1000 * MB):
        file = lab.file(size)
        for name, server in zip(out, (ferry, naive), strict=True):
            pid = tree(server.pid)[-1]
            reset_peak(pid)
            seconds = Spread.of(
                [upload_form(server.port, "/normal_upload", file).seconds for _ in range(rounds)]
            ).median
            grown = max(0.0, (peak(pid) - before[server.port]) / MIB)
            out[name].append((size, size / seconds / MB, grown))
    return out


def cpu_of(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """Where the time goes: CPU seconds of each process for 1 GiB."""
    sink = lab.sink()
    ferry = lab.ferry(sink)
    file = lab.file(GIB)
    rows = []
    _upload(ferry, "/normal_upload", file)()
    for name, server in (("web process", ferry), ("sink", sink)):
        before = cpu_seconds(server.pid)
        for _ in range(3):
            _upload(ferry, "/normal_upload", file)()
        used = (cpu_seconds(server.pid) - before) / 3
        rows.append(Row(f"CPU of the {name} for 1 GiB", f"{used:.2f} s", used))
    return {"Where the time goes": rows}


def _upload(server: Server, target: str, file: Path) -> Callable[[], float]:
    def run() -> float:
        reply = upload_form(server.port, target, file)
        reply.json()
        return reply.seconds

    return run


def _then_idle(server: Server, mode: str, file: Path) -> Callable[[], float]:
    """Seconds until the response. Background work then ends first, so that it does not disturb the next variant."""

    def run() -> float:
        used = cpu_seconds(server.pid)
        reply = upload_form(server.port, f"/{mode}_upload", file)
        reply.json()
        while (now := cpu_seconds(server.pid)) - used > 0.02:
            used = now
            time.sleep(0.1)
        return reply.seconds

    return run
