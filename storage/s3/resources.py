"""Client, connections and threads of one S3 storage, created on first use: after the server's fork."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from storage.s3.client import S3Client
from storage.s3.http import HttpClient
from storage.s3.part_uploader import PartThreads


@dataclass(frozen=True)
class Resources:
    """What a process creates once."""

    client: S3Client
    http: HttpClient
    part_threads: PartThreads

    def close(self) -> None:
        """Wait for the threads and close all connections."""
        self.part_threads.close()
        self.http.close()
        self.client.boto.close()


class LazyResources:
    """Thread-safe access to Resources; after `close` the next `get` creates new ones."""

    def __init__(self, create_client: Callable[[], S3Client], part_threads: int) -> None:
        self._create_client, self._part_threads = create_client, part_threads
        self._lock = threading.Lock()
        self._resources: Resources | None = None

    def get(self) -> Resources:
        """Return the resources. Raises StorageError if the client cannot be created."""
        with self._lock:
            if self._resources is None:
                client = self._create_client()
                http = HttpClient(client.scheme, client.netloc, client.ca_bundle, client.proxy)
                self._resources = Resources(client, http, PartThreads(self._part_threads))
            return self._resources

    def close(self) -> None:
        """Close the resources, if any were created. May be called again."""
        with self._lock:
            resources, self._resources = self._resources, None
        if resources:
            resources.close()
