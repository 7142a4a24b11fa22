"""What `ferry --help` says, and that it is so: width, examples, defaults, exit codes, options on either side."""

from __future__ import annotations

import re

import pytest
from ferry_client import __version__
from ferry_client.shell.exits import MEANINGS, Exit
from ferry_client.shell.options import parsed, parsers

from dev.parts import ROOT
from tests.client.conftest import Shell
from tests.client.fake import Fake

README = (ROOT / "client/README.md").read_text()
COMMANDS = ["upload", "download", "ls", "status", "link", "rm"]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 80 columns, without settings."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FERRY_URL", raising=False)
    monkeypatch.delenv("FERRY_KEY", raising=False)


def test_the_version_is_printed(shell: Shell) -> None:
    assert shell("--version") == (0, f"ferry {__version__}\n", "")


def test_a_server_sees_the_version(fake: Fake, shell: Shell) -> None:
    shell("ls", "--url", fake.url)

    assert fake.seen[0].headers["User-Agent"] == f"ferry-client/{__version__}"


@pytest.mark.parametrize("topic", COMMANDS)
def test_help_of_a_command_is_that_commands_help(shell: Shell, topic: str) -> None:
    assert shell("help", topic) == shell(topic, "--help")


def test_help_alone_is_all_of_it(shell: Shell) -> None:
    assert shell("help") == shell("--help")


@pytest.mark.parametrize("argv", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=lambda argv: argv[0])
def test_help_fits_80_columns_and_has_examples(shell: Shell, argv: list[str]) -> None:
    code, out, err = shell(*argv)
    examples = out[out.index("\nexamples:\n") :]

    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "ferry" in examples
    for line in re.findall(r"(?:^  |\| |\$\()(ferry [^|)\n]+)", examples, re.MULTILINE):
        parsed(line.split()[1:])


@pytest.mark.parametrize("name", [*COMMANDS, "help", None])
def test_every_option_with_a_value_tells_its_default(name: str | None) -> None:
    parser, commands = parsers()
    actions = (commands[name] if name else parser)._actions

    assert [a.dest for a in actions if a.option_strings and a.nargs != 0 and "default: " not in (a.help or "")] == []
    assert [a.dest for a in actions if not a.help and a.dest != "command"] == []


_GIVEN = ["--url", "http://a", "--key", "k", "--patience", "2.5", "--json"]
_VALUES = {"url": "http://a", "key": "k", "patience": 2.5, "json": True}


@pytest.mark.parametrize("cut", [0, 2, 4, 6, 7])
@pytest.mark.parametrize("turned", [False, True])
def test_global_options_may_stand_on_either_side(cut: int, turned: bool) -> None:
    """Those that are missing after the command leave alone what was given before it."""
    before, after = (_GIVEN[cut:], _GIVEN[:cut]) if turned else (_GIVEN[:cut], _GIVEN[cut:])
    options = vars(parsed([*before, "ls", *after]))

    assert {name: options[name] for name in _VALUES} == _VALUES


def test_the_last_of_two_values_counts() -> None:
    assert parsed(["--url", "http://a", "ls", "--url", "http://b"]).url == "http://b"


def test_global_options_have_the_defaults_that_help_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    options = parsed(["ls"])
    assert (options.url, options.key, options.patience, options.json) == ("http://127.0.0.1:5000", None, 60, False)

    monkeypatch.setenv("FERRY_URL", "http://a")
    monkeypatch.setenv("FERRY_KEY", "k")
    assert (parsed(["ls"]).url, parsed(["ls"]).key, parsed(["ls", "--key", "l"]).key) == ("http://a", "k", "l")


def test_every_exit_code_is_explained(shell: Shell) -> None:
    """main() returns no other: its type is Exit, which every command's code has to be."""
    _, out, _ = shell("--help")
    told = dict(re.findall(r"^  (\d+) +(.+)$", out, re.MULTILINE))

    assert told == {str(code.value): MEANINGS[code] for code in Exit}
    assert re.findall(r"^\| (\d+) \|", README, re.MULTILINE) == [str(code.value) for code in Exit]


def test_a_code_that_is_not_explained_can_not_be_returned(
    fake: Fake, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferry_client.shell.questions.ls", lambda *_: 3)

    with pytest.raises(ValueError, match="3 is not a valid Exit"):
        shell("ls", "--url", fake.url)
