"""`ferry --help`: width, examples, defaults, exit codes, position of global options."""

from __future__ import annotations

import re

import pytest
from ferry_client import __version__
from ferry_client.cli.exit_codes import MEANINGS, ExitCode
from ferry_client.cli.options import build_parsers, parse_args

from dev.parts import ROOT
from tests.client.conftest import Shell
from tests.client.fake_server import FakeServer

README = (ROOT / "client/README.md").read_text()
COMMANDS = ["upload", "download", "ls", "status", "link", "rm"]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns, no FERRY_ variables."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FERRY_URL", raising=False)
    monkeypatch.delenv("FERRY_KEY", raising=False)


def test_the_version_is_printed(shell: Shell) -> None:
    assert shell("--version") == (0, f"ferry {__version__}\n", "")


def test_the_user_agent_has_the_version(fake: FakeServer, shell: Shell) -> None:
    shell("ls", "--url", fake.url)

    assert fake.requests[0].headers["User-Agent"] == f"ferry-client/{__version__}"


@pytest.mark.parametrize("topic", COMMANDS)
def test_help_command_equals_the_commands_help_option(shell: Shell, topic: str) -> None:
    assert shell("help", topic) == shell(topic, "--help")


def test_help_alone_equals_the_help_option(shell: Shell) -> None:
    assert shell("help") == shell("--help")


@pytest.mark.parametrize("argv", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=lambda argv: argv[0])
def test_help_fits_80_columns_and_has_examples(shell: Shell, argv: list[str]) -> None:
    code, out, err = shell(*argv)
    examples = out[out.index("\nexamples:\n") :]

    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "ferry" in examples
    for line in re.findall(r"(?:^  |\| |\$\()(ferry [^|)\n]+)", examples, re.MULTILINE):
        parse_args(line.split()[1:])


@pytest.mark.parametrize("name", [*COMMANDS, "help", None])
def test_the_help_of_every_option_has_its_default(name: str | None) -> None:
    parser, commands = build_parsers()
    actions = (commands[name] if name else parser)._actions

    assert [a.dest for a in actions if a.option_strings and a.nargs != 0 and "default: " not in (a.help or "")] == []
    assert [a.dest for a in actions if not a.help and a.dest != "command"] == []


_ARGV = ["--url", "http://a", "--key", "k", "--retry-max-time", "2.5", "--json"]
_VALUES = {"url": "http://a", "key": "k", "max_retry_seconds": 2.5, "json": True}


@pytest.mark.parametrize("cut", [0, 2, 4, 6, 7])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_global_options_are_accepted_before_and_after_the_command(cut: int, is_reversed: bool) -> None:
    """A global option missing after the command keeps its value from before it."""
    before, after = (_ARGV[cut:], _ARGV[:cut]) if is_reversed else (_ARGV[:cut], _ARGV[cut:])
    options = vars(parse_args([*before, "ls", *after]))

    assert {name: options[name] for name in _VALUES} == _VALUES


def test_the_last_of_two_values_wins() -> None:
    assert parse_args(["--url", "http://a", "ls", "--url", "http://b"]).url == "http://b"


def test_global_options_have_the_documented_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    options = parse_args(["ls"])
    assert (options.url, options.key, options.max_retry_seconds, options.json) == (
        "http://127.0.0.1:5000",
        None,
        60,
        False,
    )

    monkeypatch.setenv("FERRY_URL", "http://a")
    monkeypatch.setenv("FERRY_KEY", "k")
    assert (parse_args(["ls"]).url, parse_args(["ls"]).key, parse_args(["ls", "--key", "l"]).key) == (
        "http://a",
        "k",
        "l",
    )


def test_every_exit_code_is_documented(shell: Shell) -> None:
    """main() returns an ExitCode, and therefore no other value."""
    _, out, _ = shell("--help")
    reported = dict(re.findall(r"^  (\d+) +(.+)$", out, re.MULTILINE))

    assert reported == {str(code.value): MEANINGS[code] for code in ExitCode}
    assert re.findall(r"^\| (\d+) \|", README, re.MULTILINE) == [str(code.value) for code in ExitCode]


def test_an_undocumented_exit_code_raises(fake: FakeServer, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferry_client.cli.commands.ls", lambda *_: 3)

    with pytest.raises(ValueError, match="3 is not a valid Exit"):
        shell("ls", "--url", fake.url)
