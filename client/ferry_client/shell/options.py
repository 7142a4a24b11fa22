"""The command line's options, and what can't be meant."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferry_client.shell import downloads, links, questions, removal, uploads
from ferry_client.shell.help import EXAMPLES, ID, PATH, epilog, examples
from ferry_client.shell.patterns import exclusion
from ferry_client.shell.words import count, duration, most, rate, seconds
from ferry_client.version import __version__

_JOBS = 8
_PATIENCE = 60.0
_URL = "http://127.0.0.1:5000"


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """The options; `run` is the command. Ends the program with 2 for wrong usage, with 0 after help and version."""
    parser, commands = parsers()
    options = parser.parse_args(argv, _defaults())
    if options.run is None:
        (commands[options.topic] if options.topic else parser).print_help()
        parser.exit()
    if "mistake" in options and (mistake := options.mistake(options)):
        commands[options.command].error(mistake)
    return options


def _defaults() -> argparse.Namespace:
    """The values of the global options where neither side of the command names them.

    They stand here and not at the options, because a default of a command's option would overwrite what was given
    before the command.
    """
    return argparse.Namespace(
        url=os.environ.get("FERRY_URL") or _URL,
        key=os.environ.get("FERRY_KEY"),
        patience=_PATIENCE,
        json=False,
        quiet=False,
        limit_rate=None,
    )


def _globals() -> argparse.ArgumentParser:
    """The options that may stand before and after the command. None of them has a default here: see _defaults()."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("global options, before or after the command")
    group.add_argument("--url", help=f"address of Ferry (default: $FERRY_URL, else {_URL})")
    group.add_argument("--key", help="API key (default: $FERRY_KEY, which others can't see in ps)")
    group.add_argument(
        "--patience", type=seconds, metavar="SECONDS",
        help=f"pauses of all retries of a request together (default: {_PATIENCE:g}; 0: no retry)",
    )  # fmt: skip
    group.add_argument("--json", action="store_true", help="print a line of JSON a file")
    return parser


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of its commands by their names."""
    common = _globals()
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="ferry", description="Upload files to Ferry and download them.", epilog=epilog(), parents=[common],
        formatter_class=formatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"ferry {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command", title="commands")
    changing = argparse.ArgumentParser(add_help=False)
    changing.add_argument("--dry-run", "-n", action="store_true", help="show what would be done, and do nothing")
    changing.add_argument("--quiet", "-q", action="store_true", help="show errors only")
    several = argparse.ArgumentParser(add_help=False, parents=[changing])
    several.add_argument(
        "--limit-rate",
        type=rate,
        metavar="RATE",
        help="bytes a second in all, such as 500k or 10M; at least 10k for uploads (default: no limit)",
    )
    several.add_argument("--jobs", type=count, default=_JOBS, metavar="N", help="files at once (default: %(default)s)")

    def command(name: str, help: str, run: Callable[..., int], *parents: argparse.ArgumentParser, **more: Any) -> Any:
        added = commands.add_parser(
            name, parents=[*parents, common], help=help, description=f"{help[0].upper()}{help[1:]}.",
            epilog=examples(EXAMPLES[name]), formatter_class=formatter,
        )  # fmt: skip
        added.set_defaults(run=run, **more)
        return added

    upload = command("upload", "send files", uploads.upload, several, mistake=uploads.mistake)
    upload.add_argument("path", nargs="+", metavar="PATH", help=PATH)
    upload.add_argument("--name", help="name on the server, for one PATH (default: its own; stdin for -)")
    upload.add_argument(
        "--mode", choices=("normal", "async", "celery"), default="normal",
        help="normal returns when the file is stored; async and celery when Ferry has accepted it, and the storage gets"
        " it afterwards (default: %(default)s)",
    )  # fmt: skip
    upload.add_argument("--recursive", "-r", action="store_true", help="folders too; skip what is there already")
    upload.add_argument(
        "--exclude", type=exclusion, action="append", default=[], metavar="GLOB",
        help="leave out names (*.tmp) or paths (/build, docs/*.pdf); may be repeated (default: none)",
    )  # fmt: skip
    upload.add_argument(
        "--expires-in", type=duration, metavar="TIME", help="such as 90, 30m, 12h or 7d (default: the server's)"
    )

    download = command("download", "fetch files", downloads.download, several, mistake=downloads.mistake)
    what = download.add_mutually_exclusive_group(required=True)
    what.add_argument("id", nargs="*", default=[], metavar="ID", help=ID)
    what.add_argument("--prefix", help="all files whose names start with it (default: none)")
    what.add_argument("--manifest", type=Path, metavar="FILE", help="output of `ferry upload --json` (default: none)")
    download.add_argument(
        "--to", default=".", metavar="PATH", help="folder/, path of one file, or - for standard output (default: .)"
    )
    download.add_argument("--force", action="store_true", help="replace files that differ")

    ls = command("ls", "list files, newest first", questions.ls)
    ls.add_argument(
        "--status", choices=("PENDING", "PROCESSING", "COMPLETE", "ERROR"), help="only those (default: all)"
    )
    ls.add_argument("--prefix", default="", help="only names that start with it (default: all)")
    ls.add_argument("--limit", type=most, metavar="N", help="the newest N only (default: all)")

    status = command("status", "print the status of files", questions.status)
    status.add_argument("id", nargs="+", metavar="ID", help=ID)
    status.add_argument("--watch", action="store_true", help="wait until they are COMPLETE or ERROR")

    link = command("link", "print links that download files without a key", links.link, mistake=links.mistake)
    link.add_argument("id", nargs="+", metavar="ID", help=ID)
    link.add_argument(
        "--expires-in", type=duration, metavar="TIME", help="such as 90 or 10m, at most 15m (default: 5m)"
    )

    rm = command("rm", "delete files", removal.rm, changing, mistake=removal.mistake)
    doomed = rm.add_mutually_exclusive_group(required=True)
    doomed.add_argument("id", nargs="*", default=[], metavar="ID", help=ID)
    doomed.add_argument("--prefix", help="all files whose names start with it, after a question (default: none)")
    rm.add_argument("--yes", "-y", action="store_true", help="ask no question")

    help = commands.add_parser("help", help="print this help, or that of a command")
    help.add_argument("topic", nargs="?", choices=[*commands.choices], metavar="COMMAND", help="(default: all)")
    help.set_defaults(run=None)
    return parser, commands.choices
