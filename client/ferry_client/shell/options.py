"""The command line's options, and what can't be meant."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ferry_client.shell import downloads, questions, removal, uploads
from ferry_client.shell.patterns import exclusion
from ferry_client.shell.words import count, duration, most, rate

_JOBS = 8


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """The options; `run` is the command. Ends the program with 2 for wrong usage."""
    parser = _parser()
    options = parser.parse_args(argv)
    if "mistake" in options and (mistake := options.mistake(options)):
        parser.error(mistake)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ferry", description="Files to Ferry and back.")
    parser.add_argument("--url", default=os.environ.get("FERRY_URL") or "http://127.0.0.1:5000", help="or FERRY_URL")
    parser.add_argument("--key", default=os.environ.get("FERRY_KEY"), help="or FERRY_KEY, which others can't see in ps")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="a line of JSON a file")
    parser.set_defaults(quiet=False, limit_rate=None)
    changing = argparse.ArgumentParser(add_help=False, parents=[common])
    changing.add_argument("--dry-run", "-n", action="store_true", help="show what would be done, and do nothing")
    changing.add_argument("--quiet", "-q", action="store_true", help="show errors only")
    several = argparse.ArgumentParser(add_help=False, parents=[changing])
    several.add_argument("--limit-rate", type=rate, metavar="RATE", help="bytes a second in all, such as 500k or 10M")
    several.add_argument("--jobs", type=count, default=_JOBS, metavar="N", help=f"files at once ({_JOBS})")

    upload = commands.add_parser("upload", parents=[several], help="send files")
    upload.add_argument("path", nargs="+", metavar="PATH", help="- is standard input")
    upload.add_argument("--name", help="what one file is called there; standard input else stdin")
    upload.add_argument("--mode", choices=("normal", "async", "celery"), default="normal")
    upload.add_argument("--recursive", "-r", action="store_true", help="folders too, but for what is there already")
    upload.add_argument("--exclude", type=exclusion, action="append", default=[], metavar="GLOB",
                        help="leave out names (*.tmp) or paths (/build, docs/*.pdf); may be repeated")  # fmt: skip
    upload.add_argument("--expires-in", type=duration, metavar="TIME", help="such as 90, 30m, 12h or 7d")
    upload.set_defaults(run=uploads.upload, mistake=uploads.mistake)

    download = commands.add_parser("download", parents=[several], help="fetch files")
    what = download.add_mutually_exclusive_group(required=True)
    what.add_argument("id", nargs="*", default=[], metavar="ID")
    what.add_argument("--prefix", help="those whose names start so")
    what.add_argument("--manifest", type=Path, metavar="FILE", help="those that `ferry upload --json` has printed")
    download.add_argument("--to", default=".", metavar="PATH", help="folder/, path of one file, - standard output (.)")
    download.add_argument("--force", action="store_true", help="replace files that differ")
    download.set_defaults(run=downloads.download, mistake=downloads.mistake)

    ls = commands.add_parser("ls", parents=[common], help="list files, newest first")
    ls.add_argument("--status", choices=("PENDING", "PROCESSING", "COMPLETE", "ERROR"))
    ls.add_argument("--prefix", default="", help="those whose names start so")
    ls.add_argument("--limit", type=most, metavar="N", help="the newest N only")
    ls.set_defaults(run=questions.ls)

    status = commands.add_parser("status", parents=[common], help="what has become of files")
    status.add_argument("id", nargs="+", metavar="ID")
    status.add_argument("--watch", action="store_true", help="until they have ended")
    status.set_defaults(run=questions.status)

    rm = commands.add_parser("rm", parents=[changing], help="delete files")
    doomed = rm.add_mutually_exclusive_group(required=True)
    doomed.add_argument("id", nargs="*", default=[], metavar="ID")
    doomed.add_argument("--prefix", help="those whose names start so, after a question")
    rm.add_argument("--yes", "-y", action="store_true", help="ask no question")
    rm.set_defaults(run=removal.rm, mistake=removal.mistake)
    return parser
