"""Texts of `ferry --help`: examples, exit codes and variables, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from ferry_client.cli.exit_codes import MEANINGS

ID = "id of a file, as `ferry upload` and `ferry ls` print it"
PATH = "a file; a folder with --recursive; - is standard input"

EXAMPLES = {
    "upload": (
        "ferry upload photo.jpg notes.txt",
        "ferry upload --recursive --mode async --exclude .git folder",
        "pg_dump shop | ferry upload - --name shop.sql --expires-in 7d",
    ),
    "download": (
        "ferry download 0198f3c2-a7d8-7b5e-9c1f-6a2b3d4e5f60 --to copy.jpg",
        "ferry download --prefix photo --to folder",
    ),
    "ls": ("ferry ls --prefix photo", "ferry ls --status ERROR --json"),
    "status": ("ferry status --watch 0198f3c2-a7d8-7b5e-9c1f-6a2b3d4e5f60",),
    "link": (
        "ferry link 0198f3c2-a7d8-7b5e-9c1f-6a2b3d4e5f60 --expires-in 10m",
        'curl -O -J "$(ferry link 0198f3c2-a7d8-7b5e-9c1f-6a2b3d4e5f60)"',
    ),
    "rm": ("ferry rm 0198f3c2-a7d8-7b5e-9c1f-6a2b3d4e5f60", "ferry rm --dry-run --prefix photo"),
}  # fmt: skip

_VARIABLES = {
    "FERRY_URL": "address of Ferry, where --url is missing",
    "FERRY_KEY": "API key, where --key is missing",
    "http_proxy, https_proxy, all_proxy, no_proxy": "as in curl; addresses of this machine never use a proxy",
    "SSL_CERT_FILE, SSL_CERT_DIR": "certificates to trust, for https addresses",
}


def examples(lines: Sequence[str]) -> str:
    """Return the examples of a command."""
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])


def epilog() -> str:
    """Return the end of `ferry --help`."""
    codes = [f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items()]
    variables = [f"  {names}\n       {meaning}" for names, meaning in _VARIABLES.items()]
    first = [EXAMPLES[name][0] for name in ("upload", "ls", "download")]
    return "\n\n".join(
        ["\n".join(["exit codes:", *codes]), "\n".join(["environment variables:", *variables]), examples(first)]
    )
