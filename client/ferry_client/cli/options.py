"""Command-line options, and their validation."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferry_client.cli import commands, deletion, downloads, links, uploads
from ferry_client.cli.exclude import parse_exclude
from ferry_client.cli.help import EXAMPLES, ID, PATH, epilog, examples
from ferry_client.cli.parsing import parse_duration, parse_jobs, parse_limit, parse_rate, parse_seconds
from ferry_client.version import __version__

_JOBS = 8
_MAX_RETRY_SECONDS = 60.0
_URL = "http://127.0.0.1:5000"

_FORMATTER = argparse.RawDescriptionHelpFormatter


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Return the options; `run` is the command. Raises SystemExit: 2 for wrong usage, 0 after help and version."""
    parser, by_name = build_parsers()
    options = parser.parse_args(argv, _defaults())
    if options.run is None:
        (by_name[options.topic] if options.topic else parser).print_help()
        parser.exit()
    if "validate" in options and (error := options.validate(options)):
        by_name[options.command].error(error)
    return options


def build_parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser, and those of its commands by name."""
    parser = argparse.ArgumentParser(
        prog="ferry", description="Upload files to Ferry and download them.", epilog=epilog(),
        parents=[_global_options()], formatter_class=_FORMATTER,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"ferry {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", dest="command", title="commands")
    for add in (_add_upload, _add_download, _add_ls, _add_status, _add_link, _add_rm):
        add(subparsers)
    help = subparsers.add_parser("help", help="print this help, or that of a command")
    help.add_argument("topic", nargs="?", choices=[*subparsers.choices], metavar="COMMAND", help="(default: all)")
    help.set_defaults(run=None)
    return parser, subparsers.choices


def _defaults() -> argparse.Namespace:
    """Return the defaults of the global options.

    A default of a command's own option would overwrite a value given before the command.
    """
    return argparse.Namespace(
        url=os.environ.get("FERRY_URL") or _URL,
        key=os.environ.get("FERRY_KEY"),
        max_retry_seconds=_MAX_RETRY_SECONDS,
        json=False,
        quiet=False,
        limit_rate=None,
    )


def _global_options() -> argparse.ArgumentParser:
    """Build the options that are accepted before and after the command, without defaults: see _defaults()."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("global options, before or after the command")
    group.add_argument("--url", help=f"address of Ferry (default: $FERRY_URL, else {_URL})")
    group.add_argument("--key", help="API key (default: $FERRY_KEY, which others can't see in ps)")
    group.add_argument(
        "--retry-max-time", type=parse_seconds, metavar="SECONDS", dest="max_retry_seconds",
        help=f"pauses and failed connection attempts of a request (default: {_MAX_RETRY_SECONDS:g}; 0: no retry)",
    )  # fmt: skip
    group.add_argument("--json", action="store_true", help="print a line of JSON a file")
    return parser


def _dry_run_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--dry-run", "-n", action="store_true", help="show what would be done, and do nothing")
    parser.add_argument("--quiet", "-q", action="store_true", help="show errors only")
    return parser


def _transfer_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, parents=[_dry_run_options()])
    parser.add_argument(
        "--limit-rate", type=parse_rate, metavar="RATE",
        help="bytes a second in all, such as 500k or 10M; at least 10k for uploads (default: no limit)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=parse_jobs, default=_JOBS, metavar="N", help="files at once (default: %(default)s)"
    )
    return parser


def _add_command(
    subparsers: Any, name: str, help: str, run: Callable[..., int], *parents: argparse.ArgumentParser,
    validate: Callable[[argparse.Namespace], str | None] | None = None,
) -> argparse.ArgumentParser:  # fmt: skip
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, parents=[*parents, _global_options()], help=help, description=f"{help[0].upper()}{help[1:]}.",
        epilog=examples(EXAMPLES[name]), formatter_class=_FORMATTER,
    )  # fmt: skip
    parser.set_defaults(run=run, **({"validate": validate} if validate else {}))
    return parser


def _add_upload(subparsers: Any) -> None:
    parser = _add_command(
        subparsers, "upload", "send files", uploads.upload, _transfer_options(), validate=uploads.validate
    )
    parser.add_argument("path", nargs="+", metavar="PATH", help=PATH)
    parser.add_argument("--name", help="name on the server, for one PATH (default: its own; stdin for -)")
    parser.add_argument(
        "--mode", choices=("normal", "async", "celery"), default="normal",
        help="normal returns when the file is stored; async and celery when Ferry has accepted it, and the storage gets"
        " it afterwards (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--recursive", "-r", action="store_true", help="folders too; skip what is there already")
    parser.add_argument(
        "--exclude", type=parse_exclude, action="append", default=[], metavar="GLOB",
        help="leave out names (*.tmp) or paths (/build, docs/*.pdf); may be repeated (default: none)",
    )  # fmt: skip
    parser.add_argument(
        "--expires-in", type=parse_duration, metavar="TIME", help="such as 90, 30m, 12h or 7d (default: the server's)"
    )


def _add_download(subparsers: Any) -> None:
    parser = _add_command(
        subparsers, "download", "fetch files", downloads.download, _transfer_options(), validate=downloads.validate
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("id", nargs="*", default=[], metavar="ID", help=ID)
    source.add_argument("--prefix", help="all files whose names start with it (default: none)")
    source.add_argument("--manifest", type=Path, metavar="FILE", help="output of `ferry upload --json` (default: none)")
    parser.add_argument(
        "--to", default=".", metavar="PATH", help="folder/, path of one file, or - for standard output (default: .)"
    )
    parser.add_argument("--force", action="store_true", help="replace files that differ")


def _add_ls(subparsers: Any) -> None:
    parser = _add_command(subparsers, "ls", "list files, newest first", commands.ls)
    parser.add_argument(
        "--status", choices=("PENDING", "PROCESSING", "COMPLETE", "ERROR"), help="only those (default: all)"
    )
    parser.add_argument("--prefix", default="", help="only names that start with it (default: all)")
    parser.add_argument("--limit", type=parse_limit, metavar="N", help="the newest N only (default: all)")


def _add_status(subparsers: Any) -> None:
    parser = _add_command(subparsers, "status", "print the status of files", commands.status)
    parser.add_argument("id", nargs="+", metavar="ID", help=ID)
    parser.add_argument("--watch", action="store_true", help="wait until they are COMPLETE or ERROR")


def _add_link(subparsers: Any) -> None:
    parser = _add_command(
        subparsers, "link", "print links that download files without a key", links.link, validate=links.validate
    )
    parser.add_argument("id", nargs="+", metavar="ID", help=ID)
    parser.add_argument(
        "--expires-in", type=parse_duration, metavar="TIME", help="such as 90 or 10m, at most 15m (default: 5m)"
    )


def _add_rm(subparsers: Any) -> None:
    parser = _add_command(subparsers, "rm", "delete files", deletion.rm, _dry_run_options(), validate=deletion.validate)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("id", nargs="*", default=[], metavar="ID", help=ID)
    source.add_argument("--prefix", help="all files whose names start with it, after a question (default: none)")
    parser.add_argument("--yes", "-y", action="store_true", help="ask no question")
