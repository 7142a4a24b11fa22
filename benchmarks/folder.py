"""A folder of small files: Ferry's command against `rclone copy` straight to the same bucket."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab import BIN, ROOT, Lab, Server, free_port, parts
from measure import by_turns, ratio
from rows import Row, median

FILES, SIZE = 1000, 4096
KEYS = {"AWS_ACCESS_KEY_ID": parts.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": parts.SECRET_KEY}


def folder(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """From the start of the command to its end, with files that neither has seen before; each as it is by default.

    With a bucket on this machine all is CPU, of which Ferry's service and its check of every object take most. With one
    20 ms away, as storages are, most is waiting.
    """
    rows, source = [], lab.folder / "source"
    lab.callback(shutil.rmtree, source, ignore_errors=True)
    for where, bucket in (("on this machine", _local_bucket(lab)), ("20 ms away", lab.sink(latency=20))):
        ferry = lab.ferry(bucket, **KEYS, WEB_WORKERS="2", MAX_TRANSFERS_PER_CLIENT="")
        found = by_turns(
            {
                "Ferry": lambda ferry=ferry: _by_ferry(_fresh(source), ferry.port),
                "rclone": lambda bucket=bucket: _by_rclone(_fresh(source), bucket.port),
            },
            rounds,
        )
        rate = {name: FILES / median(found, name) for name in found}
        against = ratio(found, "rclone", "Ferry")
        text = f"{rate['Ferry']:.0f}/s against {rate['rclone']:.0f}/s, ratio {against}"
        rows.append(Row(f"bucket {where}", text, against.median, 0.5, at_least=True))
    return {f"{FILES} files of 4 KB a second: `ferry upload --recursive` ÷ `rclone copy` to the same bucket": rows}


def _local_bucket(lab: Lab) -> Server:
    port, data = free_port(), lab.folder / "bucket"
    lab.callback(shutil.rmtree, data, ignore_errors=True)
    return lab.served(parts.s3(data, port), port)


def _fresh(folder: Path) -> Path:
    """A folder of files with new names and bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prefix = os.urandom(4).hex()
    for number in range(FILES):
        (folder / f"{prefix}-{number}.bin").write_bytes(os.urandom(SIZE))
    return folder


def _by_ferry(source: Path, port: int) -> float:
    command = [sys.executable, "-m", "ferry_client", "--url", f"http://127.0.0.1:{port}", "upload", "-r", source]
    return _seconds(command, {"PYTHONPATH": str(ROOT / "client")})


def _by_rclone(source: Path, port: int) -> float:
    env = {
        "RCLONE_CONFIG_BUCKET_TYPE": "s3",
        "RCLONE_CONFIG_BUCKET_PROVIDER": "Other",
        "RCLONE_CONFIG_BUCKET_ENDPOINT": f"http://127.0.0.1:{port}",
        "RCLONE_CONFIG_BUCKET_ACCESS_KEY_ID": parts.ACCESS_KEY,
        "RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY": parts.SECRET_KEY,
    }
    target = f"bucket:{parts.BUCKET}/{os.urandom(4).hex()}"
    return _seconds([BIN / "rclone", "--config", "", "copy", source, target], env)


def _seconds(command: list[str | Path], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env={**os.environ, **env}, capture_output=True, check=True)
    return time.perf_counter() - began
