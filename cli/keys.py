"""`flask keys`: create and manage API keys and quotas. A token is printed once, when it is created."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import with_appcontext

import config
import config_types
from auth import api_keys
from lifecycle import transitions
from problems import QuotaExceeded

_NONE = "none"
_MAX_QUOTA = (1 << 63) - 1
_BATCH = 500
_LIMIT = click.IntRange(1, config_types.MAX_TRANSFERS)
_LIMIT_HELP = "Maximum number of concurrent uploads and downloads with this key in one web process."


class Duration(click.ParamType[float]):
    """A duration such as 30m, 12h or 90d, as seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises click.BadParameter for any other format."""
        if not re.fullmatch(r"[0-9]{1,6}[smhd]", str(value)):
            self.fail("must be a time such as 30m, 12h or 90d", param, ctx)
        return float(config_types.seconds(str(value)))


class Quota(click.ParamType[int | str]):
    """A number or a size such as 20GiB, or `none` for no limit."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Raises click.BadParameter for any other value."""
        if value == _NONE:
            return _NONE
        try:
            number = config_types.size(str(value))
        except ValueError as error:
            self.fail(f"{error}, or {_NONE}", param, ctx)
        if number > _MAX_QUOTA:
            self.fail(f"must be at most {_MAX_QUOTA}, or {_NONE}", param, ctx)
        return number


class TransferLimit(click.ParamType[int | str]):
    """A number of concurrent transfers, or `none` for MAX_TRANSFERS_PER_CLIENT."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Raises click.BadParameter unless `value` is `none` or from 1 to MAX_TRANSFERS."""
        return _NONE if value == _NONE else _LIMIT.convert(value, param, ctx)


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
        ("uploads", "Maximum number of concurrent uploads of the owner on one host."),
        ("files", "Maximum number of the owner's files."),
        ("", "Maximum total size of the owner's files, such as 20GiB."),
    ):
        option, field = "--quota" + (name and f"-{name}"), f"quota_{name or 'bytes'}"
        command = click.option(option, field, type=Quota(), help=f"{help} `none`: no limit.")(command)
    return command


@click.group()
def keys() -> None:
    """Create, list, change, rotate and revoke API keys."""


@keys.command()
@click.option("--owner", required=True, callback=_owner, help="The owner of all files uploaded with this key.")
@click.option(
    "--scopes",
    default=",".join(api_keys.SCOPES),
    show_default=True,
    callback=_scopes,
    help="Comma-separated list of what the key permits.",
)
@click.option("--expires", type=Duration(), help="Time until the key expires, such as 90d. Default: never.")
@click.option("--max-transfers", type=_LIMIT, help=f"{_LIMIT_HELP} Default: MAX_TRANSFERS_PER_CLIENT.")
@_quotas
@with_appcontext
def create(
    owner: str, scopes: list[str], expires: float | None, max_transfers: int | None, **quotas: int | str | None
) -> None:
    """Create a key and print its token. It is not shown again."""
    _warn_if_capped(max_transfers)
    click.echo(api_keys.create(owner, scopes, expires, max_transfers=max_transfers, **_given(quotas)))


@keys.command()
@click.argument("id")
@click.option(
    "--max-transfers", type=TransferLimit(), required=True, help=f"{_LIMIT_HELP} `none`: MAX_TRANSFERS_PER_CLIENT."
)
@with_appcontext
def change(id: str, max_transfers: int | str) -> None:
    """Change a key. Web processes apply it within seconds."""
    limit = max_transfers if isinstance(max_transfers, int) else None
    _warn_if_capped(limit)
    if not api_keys.set_transfer_limit(id, limit):
        raise click.ClickException(f"There is no live key {id!r}.")


@keys.command()
@click.argument("owner")
@_quotas
@with_appcontext
def quota(owner: str, **quotas: int | str | None) -> None:
    """Change the quotas of an owner."""
    given = _given(quotas)
    if not given or not api_keys.set_quotas(owner, **given):
        raise click.ClickException(f"There is no owner {owner!r}, or nothing to change.")


@keys.command()
@click.argument("owner")
@with_appcontext
def adopt(owner: str) -> None:
    """Assign the files without an owner, uploaded before the first key was created, to OWNER."""
    if not api_keys.owner_exists(owner):
        raise click.ClickException(f"There is no owner {owner!r}: create a key first.")
    adopted = 0
    try:
        while batch := transitions.assign_owner(owner, _BATCH):
            adopted += batch
    except QuotaExceeded as problem:
        message = f"{adopted} files adopted. The next are too much for the quota of {owner!r}."
        raise click.ClickException(message) from problem
    click.echo(f"{adopted} files adopted")


@keys.command("list")
@with_appcontext
def list_() -> None:
    """Show every key with its owner's usage and quotas."""
    columns = "{:<12}  {:<20}  {:<8}  {:<18}  {:<16}  {:<16}  {:<7}  {}"
    titles = ("ID", "OWNER", "STATE", "SCOPES", "EXPIRES", "LAST USED", "AT ONCE", "BYTES, FILES (QUOTA)")
    click.echo(columns.format(*titles))
    for row in api_keys.list_keys():
        usage = f"{row.used_bytes} ({_quota(row.quota_bytes)}), {row.used_files} ({_quota(row.quota_files)})"
        times = (_time(row.expires_at), _time(row.used_at))
        click.echo(columns.format(row.id, row.owner, row.state, row.scopes, *times, row.uploads_at_once or "-", usage))


@keys.command()
@click.argument("id")
@click.option(
    "--keep", type=Duration(), default="0s", show_default=True, help="Time for which the old token is accepted."
)
@with_appcontext
def rotate(id: str, keep: float) -> None:
    """Replace the token of a key and print the new one. Its id, owner, scopes and expiry stay the same."""
    token = api_keys.rotate(id, keep)
    if token is None:
        raise click.ClickException(f"There is no live key {id!r}.")
    click.echo(token)


@keys.command()
@click.argument("id")
@with_appcontext
def revoke(id: str) -> None:
    """Revoke a key. Web processes apply it within seconds."""
    if not api_keys.revoke(id):
        raise click.ClickException(f"There is no live key {id!r}.")
    click.echo(f"{id} is revoked.")


def _warn_if_capped(limit: int | None) -> None:
    """Print a warning if a key's own limit is higher than these settings allow."""
    settings = config.current()
    if limit and (allowed := settings.key_max_transfers(limit)) < limit:
        click.echo(f"With WEB_THREADS={settings.web_threads} it has {allowed} at once: raise WEB_THREADS.", err=True)


def _given(quotas: dict[str, Any]) -> dict[str, int | None]:
    return {name: None if value == _NONE else value for name, value in quotas.items() if value is not None}


def _quota(quota: int | None) -> str:
    return "no limit" if quota is None else str(quota)


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
