"""Every response to requests from schemathesis matches the OpenAPI document.

A status above 499 fails, even if it is documented: all services are available.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from dev import parts
from dev.polling import eventually
from tests.harness.raw_client import RawClient, post
from tests.harness.stack import Stack

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,use_after_free"
)
UNKNOWN_TOKEN = "ferry_000000000000_unknown"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("conformance"), {"ALLOW_ANONYMOUS": "1", "WEB_THREADS": "16"}) as stack:
        yield stack


def forbid_extra(schema: Any) -> Any:
    """The schema with undocumented members forbidden. Clients must ignore new members; here they are errors."""
    if isinstance(schema, list):
        return [forbid_extra(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if schema.get("type") == "object" and "properties" in schema else {}
    return {name: forbid_extra(value) for name, value in schema.items()} | more


def with_examples(document: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    """The document with these files and two slugs as examples, except for operations that delete."""
    examples: dict[str, list[Any]] = {"id": ids, "ids": [[id] for id in ids], "slug": ["too-large", "unknown"]}
    for path in document["paths"].values():
        for method, operation in path.items():
            for parameter in operation.get("parameters", []):
                if method != "delete" and (values := examples.get(parameter["name"])):
                    parameter["examples"] = {str(number): {"value": value} for number, value in enumerate(values)}
    return document


def failed(stack: Stack) -> str:
    """The id of a file in ERROR: its client disconnected."""
    name = "disconnected"
    with RawClient(stack.ports.web) as client:
        client.send(post(f"/normal_upload?name={name}", b"x" * 100_000, "Content-Type: text/plain", length=9_000_000))
    listed = f"{stack.url}/files?prefix={name}&status=ERROR"
    [file] = eventually(lambda: requests.get(listed, timeout=10).json()["files"])
    return str(file["id"])


def key(stack: Stack, *options: str) -> str:
    argv = [str(parts.BIN / "flask"), "--app", "app", "keys", "create", "--owner", "alice", *options]
    made = subprocess.run(argv, cwd=parts.ROOT, env=stack.env, capture_output=True, text=True, check=True, timeout=30)
    return made.stdout.strip()


def run_schemathesis(
    stack: Stack, folder: Path, phases: str, count: int, *more: str, ids: tuple[str, ...] = ()
) -> None:
    """Send requests to every operation. A failure prints the output of schemathesis."""
    document = with_examples(forbid_extra(requests.get(f"{stack.url}/openapi.json", timeout=10).json()), list(ids))
    (folder / "openapi.json").write_text(json.dumps(document))
    argv = [str(parts.BIN / "st"), "run", "openapi.json", "--url", stack.url, "--no-color", "--checks", CHECKS]
    argv += ["--phases", phases, "--max-examples", str(count), "--generation-deterministic", "--request-timeout", "20"]
    ran = subprocess.run([*argv, *more], cwd=folder, capture_output=True, text=True, timeout=600)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_anonymous_clients_get_only_documented_responses(stack: Stack, tmp_path: Path) -> None:
    stored = stack.upload("normal", b"some bytes").json()["id"]

    run_schemathesis(stack, tmp_path, "examples,coverage,fuzzing", 3, ids=(stored, failed(stack)))


def test_a_key_with_few_scopes_and_a_small_quota_gets_only_documented_responses(stack: Stack, tmp_path: Path) -> None:
    token = key(stack, "--scopes", "upload,read", "--quota-files", "4")

    run_schemathesis(stack, tmp_path, "fuzzing", 4, "-H", f"Authorization: Bearer {token}")


def test_an_unknown_key_gets_only_documented_responses(stack: Stack, tmp_path: Path) -> None:
    run_schemathesis(stack, tmp_path, "fuzzing", 1, "-H", f"Authorization: Bearer {UNKNOWN_TOKEN}")


@pytest.mark.long
def test_many_requests_get_only_documented_responses(stack: Stack, tmp_path: Path) -> None:
    run_schemathesis(stack, tmp_path, "examples,coverage,fuzzing,stateful", 200, ids=(failed(stack),))
