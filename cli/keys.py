"""`flask keys`: who may do what, from the operator's shell. A token is shown once, when it is made."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import with_appcontext

import config
import config_types
from auth import api_keys as api_keys
from lifecycle import transitions
from problems import QuotaExceeded

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NO_END = "none"
_LARGEST = (1 << 63) - 1
_AT_ONCE = 500
_OWN_BOUND = "Uploads and downloads of this key at once in a web process, instead of MAX_TRANSFERS_PER_CLIENT."


class Span(click.ParamType[float]):
    """A time such as 30m, 12h or 90d, as seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises click.BadParameter where it is none."""
        match = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if match is None:
            self.fail("must be a time such as 30m, 12h or 90d", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


class Quota(click.ParamType[int | str]):
    """A number or a size such as 20GiB, or `none` for no end."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Raises click.BadParameter where it is none of them."""
        if value == _NO_END:
            return _NO_END
        try:
            number = config_types.size(str(value))
        except ValueError as error:
            self.fail(f"{error}, or {_NO_END}", param, ctx)
        if number > _LARGEST:
            self.fail(f"must be at most {_LARGEST}, or {_NO_END}", param, ctx)
        return number


_BOUND = click.IntRange(1, 16384)


class Bound(click.ParamType[int | str]):
    """A number of transfers, or `none` for MAX_TRANSFERS_PER_CLIENT."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Raises click.BadParameter unless `value` is `none` or from 1 to 16384."""
        return _NO_END if value == _NO_END else _BOUND.convert(value, param, ctx)


def _owner(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", value):
        return value
    raise click.BadParameter("must be 1 to 64 letters, digits, '.', '_', '@', '-'")


def _scopes(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    scopes = list(dict.fromkeys(value.split(",")))
    if set(scopes) <= set(api_keys.SCOPES):
        return scopes
    raise click.BadParameter(f"must be some of {','.join(api_keys.SCOPES)}")


def _quotas(command: Any) -> Any:
    """The options that set an owner's quotas."""
    for name, help in (
        ("uploads", "Most uploads of the owner that are received at once on one host."),
        ("files", "Most files of the owner."),
        ("", "Most bytes of all files of the owner, such as 20GiB."),
    ):
        option, field = "--quota" + (name and f"-{name}"), f"quota_{name or 'bytes'}"
        command = click.option(option, field, type=Quota(), help=f"{help} `none`: no end.")(command)
    return command


@click.group()
def keys() -> None:
    """API keys: make, show, change, rotate and revoke them."""


@keys.command()
@click.option("--owner", required=True, callback=_owner, help="Whom the files belong to that come with this key.")
@click.option("--scopes", default=",".join(api_keys.SCOPES), show_default=True, callback=_scopes)
@click.option("--expires", type=Span(), help="Time until the key ends, such as 90d. Default: it does not.")
@click.option("--uploads-at-once", type=_BOUND, help=_OWN_BOUND)
@_quotas
@with_appcontext
def create(
    owner: str, scopes: list[str], expires: float | None, uploads_at_once: int | None, **quotas: int | str | None
) -> None:
    """Make a key. Prints its token: it can't be shown again."""
    _warn_of(uploads_at_once)
    click.echo(api_keys.create(owner, scopes, expires, uploads_at_once=uploads_at_once, **_wanted(quotas)))


@keys.command()
@click.argument("id")
@click.option("--uploads-at-once", type=Bound(), required=True, help=f"{_OWN_BOUND} `none`: MAX_TRANSFERS_PER_CLIENT.")
@with_appcontext
def change(id: str, uploads_at_once: int | str) -> None:
    """Change a key. Web processes notice within seconds."""
    bound = uploads_at_once if isinstance(uploads_at_once, int) else None
    _warn_of(bound)
    if not api_keys.set_transfer_limit(id, bound):
        raise click.ClickException(f"There is no live key {id!r}.")


@keys.command()
@click.argument("owner")
@_quotas
@with_appcontext
def quota(owner: str, **quotas: int | str | None) -> None:
    """Change what an owner may have."""
    wanted = _wanted(quotas)
    if not wanted or not api_keys.set_quotas(owner, **wanted):
        raise click.ClickException(f"There is no owner {owner!r}, or nothing to change.")


@keys.command()
@click.argument("owner")
@with_appcontext
def adopt(owner: str) -> None:
    """Give an owner all stored files that belong to nobody: they were sent while there was no key."""
    if not api_keys.owner_exists(owner):
        raise click.ClickException(f"There is no owner {owner!r}: make a key first.")
    adopted = 0
    try:
        while some := transitions.assign_owner(owner, _AT_ONCE):
            adopted += some
    except QuotaExceeded as problem:
        said = f"{adopted} files adopted. The next are too much for the quota of {owner!r}."
        raise click.ClickException(said) from problem
    click.echo(f"{adopted} files adopted")


@keys.command("list")
@with_appcontext
def list_() -> None:
    """Show every key, and what its owner has and may have."""
    columns = "{:<12}  {:<20}  {:<8}  {:<18}  {:<16}  {:<16}  {:<7}  {}"
    heads = ("ID", "OWNER", "STATE", "SCOPES", "EXPIRES", "LAST USED", "AT ONCE", "BYTES, FILES (QUOTA)")
    click.echo(columns.format(*heads))
    for row in api_keys.list_keys():
        use = f"{row.used_bytes} ({_end(row.quota_bytes)}), {row.used_files} ({_end(row.quota_files)})"
        times = (_time(row.expires_at), _time(row.used_at))
        click.echo(columns.format(row.id, row.owner, row.state, row.scopes, *times, row.uploads_at_once or "-", use))


@keys.command()
@click.argument("id")
@click.option("--keep", type=Span(), default="0s", show_default=True, help="Time that the old token stays good for.")
@with_appcontext
def rotate(id: str, keep: float) -> None:
    """Give a key a new token, and print it. Its id, owner, scopes and end stay."""
    token = api_keys.rotate(id, keep)
    if token is None:
        raise click.ClickException(f"There is no live key {id!r}.")
    click.echo(token)


@keys.command()
@click.argument("id")
@with_appcontext
def revoke(id: str) -> None:
    """End a key. Web processes notice within seconds."""
    if not api_keys.revoke(id):
        raise click.ClickException(f"There is no live key {id!r}.")
    click.echo(f"{id} is revoked.")


def _warn_of(bound: int | None) -> None:
    """Say on stderr where a key's own bound is larger than what these settings grant."""
    settings = config.current()
    if bound and (granted := settings.key_max_transfers(bound)) < bound:
        click.echo(f"With WEB_THREADS={settings.web_threads} it has {granted} at once: raise WEB_THREADS.", err=True)


def _wanted(quotas: dict[str, Any]) -> dict[str, int | None]:
    return {name: None if value == _NO_END else value for name, value in quotas.items() if value is not None}


def _end(quota: int | None) -> str:
    return "no end" if quota is None else str(quota)


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
