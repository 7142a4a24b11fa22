"""Generate docs/settings.md, .env.example and README's table from the declared settings: `python -m dev.settings`."""

from __future__ import annotations

import re
from itertools import groupby

from config import SETTINGS
from dev.parts import ROOT

COMMON = (
    "FERRY_DATA", "HOST", "PORT", "SQLALCHEMY_DATABASE_URI", "CELERY_BROKER_URL", "S3_BUCKET_NAME", "S3_ENDPOINT_URL",
    "S3_BUCKET_BASE_URL", "AWS_DEFAULT_REGION", "MAX_FILE_SIZE", "ALLOWED_TYPES", "FORWARDED_HOPS",
)  # fmt: skip
"""The settings in README's table, in its order."""

_HEADER = "| setting | default | meaning |\n|---|---|---|\n"
_TABLE = re.compile(rf"(?<={re.escape(_HEADER)})(\|.*\n)+")
_INTRODUCTION = """\
# Settings

Ferry reads environment variables, and a file `.env` in the working folder (copy `.env.example`). The environment wins.
An invalid value, or a retired name, stops the start with an error that says what is accepted.

| kind | accepted |
|---|---|
| duration | seconds, or a number with a unit: `90s`, `15m`, `24h`, `7d` |
| size | bytes, or a number with a unit: `500kB`, `20MB`, `5GiB` |
| boolean | `1` or `0`, `yes` or `no`, `true` or `false`, `on` or `off` |
| rate limit | a number per `second`, `minute`, `hour` or `day`: `600/minute` |
| list | values with commas between them |

An empty value means the default. `{ferry_data}` stands for the value of `FERRY_DATA`.

Credentials are boto3's own: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `~/.aws`, or the machine's role.
"""


def page() -> str:
    """The text of docs/settings.md: every setting, by theme."""
    text = _INTRODUCTION
    for theme, names in groupby(SETTINGS, key=lambda name: str(SETTINGS[name]["theme"])):
        rows = ((name, _code(name), accepted(name), SETTINGS[name]["help"]) for name in names)
        text += f"\n## {theme}\n\n| setting | default | accepted | meaning |\n|---|---|---|---|\n"
        text += "".join(f"| `{name}` | {default} | {values} | {help} |\n" for name, default, values, help in rows)
    return text


def accepted(name: str) -> str:
    """The values or the range a setting accepts, by its parser's error; empty if that states a form instead."""
    try:
        SETTINGS[name]["parse"]("?")
    except ValueError as error:
        form = r"must be (?:one of: (.+)|a whole number from (\d+ to \d+)|from (\w+ to \w+):.*|(1 or 0),.*)"
        match = re.fullmatch(form, str(error))
        return next(filter(None, match.groups())) if match else ""
    return ""


def _code(name: str) -> str:
    return f"`{SETTINGS[name]['default']}`" if SETTINGS[name]["default"] else ""


def readme(text: str) -> str:
    """`text` of the README with its table of settings up to date."""
    rows = (f"| `{name}` | {_code(name)} | {SETTINGS[name]['help']} |\n" for name in COMMON)
    return _TABLE.sub(lambda _: "".join(rows), text)


def example(text: str) -> str:
    """`text` of .env.example with the generated part, from the first theme's heading on, up to date."""
    parts = [text[: text.index("\n# == ")]]
    for theme, names in groupby(SETTINGS, key=lambda name: str(SETTINGS[name]["theme"])):
        parts.append(f"\n# == {theme} ==\n")
        parts += [f"\n# {SETTINGS[name]['help']}\n#{name}={SETTINGS[name]['default']}\n" for name in names]
    return "".join(parts)


def main() -> None:
    """Write the three files."""
    (ROOT / "docs" / "settings.md").write_text(page())
    for name, update in (("README.md", readme), (".env.example", example)):
        (ROOT / name).write_text(update((ROOT / name).read_text()))


if __name__ == "__main__":
    main()
