"""Everything that is measured, started side by side on this machine: Ferry, the sink behind it, and its peers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from measure import answers, make_file
from upload import ask, upload_form

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT))

from dev import parts  # noqa: E402
from dev.polling import wait_until  # noqa: E402
from dev.process import Process, free_port  # noqa: E402


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, and the process whose tree it is."""

    port: int
    pid: int


class Lab(ExitStack):
    """Starts servers for the length of a `with` block. Everything is written below `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._number = 0

    def file(self, size: int) -> Path:
        """A file of `size` random bytes."""
        return make_file(self.folder / f"{size}.bin", size)

    def sink(self, rate: float = 0, latency: float = 0) -> Server:
        """A null S3 that compares every CRC32, of `rate` bytes/s and `latency` ms."""
        options = ["--check", "crc32,md5", "--rate", str(rate), "--latency", str(latency)]
        port = free_port()
        command = [sys.executable, HERE / "sink.py", *options, "--port", str(port)]
        return self._answering(Process("sink", command, log=self._log("sink"), cwd=HERE), port)

    def redis(self) -> Server:
        """A valkey as `make run` starts it."""
        port = free_port()
        return self.served(parts.redis(self._fresh("redis"), port), port)

    def served(self, process: Process, port: int) -> Server:
        """A process that has just been started, once it listens on `port`."""
        self.callback(process.kill)
        process.wait_for(port, 10)
        return Server(port, process.pid)

    def ferry(self, sink: Server, redis: Server | None = None, **settings: str) -> Server:
        """Ferry's web service with one process, on a schema of its own."""
        return self.ferry_in(self.ferry_env(sink, redis, **settings))

    def ferry_in(self, env: Mapping[str, str], app: str = "app:create_app()", folder: Path = ROOT) -> Server:
        """The same with given settings, which a worker needs too, or as an app of `folder` that wraps it."""
        subprocess.run([BIN / "flask", "db", "upgrade"], cwd=ROOT, env={**os.environ, **env}, check=True)
        web = parts.web(env, self._log("ferry"), app=app, options=["--pythonpath", str(folder)])
        server = self._answering(web, int(env["PORT"]))
        upload_form(server.port, "/normal_upload", self.file(1000)).json()
        return server

    def ferry_worker(self, env: Mapping[str, str]) -> Server:
        """One worker process of Ferry, beside a web service of the same settings."""
        log = self._log("ferry-worker")
        return self._worker(parts.worker(env, log, options=["-l", "INFO", "--concurrency", "1"]))

    def ferry_env(self, sink: Server, redis: Server | None, **settings: str) -> dict[str, str]:
        """Ferry's settings. The same object serves web and worker."""
        return {
            **_s3(sink),
            "FERRY_DATA": str(self._fresh("ferry")),
            "PORT": str(free_port()),
            "WEB_WORKERS": "1",
            "MAX_TRANSFERS_PER_CLIENT": "100",
            "MAX_FILE_SIZE": "20GiB",
            "FLASK_APP": "app",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{redis.port if redis else 1}/0",
            **settings,
        }

    def naive(self, sink: Server, redis: Server | None = None) -> tuple[Server, dict[str, str]]:
        """The plain Flask app, and the settings for its worker."""
        data = self._fresh("naive")
        broker = f"redis://127.0.0.1:{redis.port if redis else 1}/0"
        env = {**_s3(sink), "DATABASE_URL": f"sqlite:///{data}/naive.db", "CELERY_BROKER_URL": broker}
        server = self._gunicorn("naive", env)
        upload_form(server.port, "/normal_upload", self.file(1000)).json()
        return server, env

    def naive_worker(self, env: Mapping[str, str]) -> Server:
        """One worker process of the plain Flask app."""
        command = [BIN / "celery", "-A", "naive.celery", "worker", "-l", "INFO", "--concurrency", "1"]
        return self._worker(Process("naive", command, env, self._log("naive-worker"), HERE / "peers"))

    def discard(self) -> Server:
        """The service that receives, drops and answers."""
        return self._gunicorn("discard", {})

    def node(self, name: str, sink: Server) -> Server | None:
        """A peer on node, where there is node."""
        folder = HERE / "peers" / "node"
        if not shutil.which("npm"):
            return None
        if not (folder / "node_modules").exists():
            subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=folder, check=True)
        port = free_port()
        env = {**_s3(sink), "PORT": str(port)}
        return self._answering(Process(name, ["node", f"{name}.mjs"], env, self._log(name), folder), port)

    def direct(self, how: str, sink: Server, file: Path) -> float:
        """Seconds that boto3 takes to send the file itself; `how`: default or tuned."""
        return _seconds([sys.executable, HERE / "peers" / "direct.py", how, file], sink)

    def aiobotocore(self, sink: Server, file: Path) -> float:
        """Seconds that aiobotocore takes. It pins an older botocore, and so has a venv of its own."""
        venv = self.folder / "aiobotocore"
        if not venv.exists():
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            needed = HERE / "requirements-aiobotocore.txt"
            subprocess.run([venv / "bin/pip", "install", "-q", "--require-hashes", "-r", needed], check=True)
        return _seconds([venv / "bin/python", HERE / "peers" / "aiobotocore_client.py", file], sink)

    def _gunicorn(self, name: str, env: Mapping[str, str]) -> Server:
        command = [BIN / "gunicorn", "--no-control-socket", "-k", "gthread", "--threads", "16", f"{name}:create_app()"]
        port = free_port()
        command += ["-b", f"127.0.0.1:{port}"]
        return self._answering(Process(name, command, env, self._log(name), HERE / "peers"), port)

    def _worker(self, process: Process) -> Server:
        self.callback(process.stop, 15)
        process.wait_for_log(b" ready.", 30)
        return Server(0, process.pid)

    def _answering(self, process: Process, port: int) -> Server:
        self.callback(process.stop, 15)
        process.wait_until(lambda: answers(port), 30)
        return Server(port, process.pid)

    def _log(self, name: str) -> Path:
        self._number += 1
        return self.folder / f"{name}-{self._number}.log"

    def _fresh(self, name: str) -> Path:
        self._number += 1
        folder = self.folder / f"{name}-{self._number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder


def stored(server: Server, target: str, file: Path) -> float:
    """Seconds from the start of an upload until its file is COMPLETE."""
    began = time.perf_counter()
    answer = upload_form(server.port, target, file).json()
    status = f"/files/{answer['id']}"

    def done() -> bool:
        row = ask(server.port, "GET", status).json()
        state = row.get("status") or row.get("upload_status")
        if state == "ERROR":
            raise RuntimeError(f"{target} of {file.name} ended as ERROR")
        return str(state) == "COMPLETE"

    wait_until(done, 120, every=0.005)
    return time.perf_counter() - began


def _s3(sink: Server) -> dict[str, str]:
    return {
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{sink.port}",
        "S3_BUCKET_NAME": "ferry",
        "AWS_ACCESS_KEY_ID": "benchmark-key-id",
        "AWS_SECRET_ACCESS_KEY": "benchmark-secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _seconds(command: list[str | Path], sink: Server) -> float:
    ran = subprocess.run(command, env={**os.environ, **_s3(sink)}, capture_output=True, text=True, check=True)
    return float(json.loads(ran.stdout)["seconds"][0])
