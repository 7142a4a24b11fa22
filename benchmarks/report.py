"""What was measured, as a page and as a picture."""

from __future__ import annotations

import math
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rows import Row

_PACKAGES = ("gunicorn", "flask", "werkzeug", "multipart", "boto3", "sqlalchemy", "celery", "redis", "isal", "pybase64")
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 460, 300, 64, 48, 20, 52
_COLOURS = ("#1f5fbf", "#b4552d")


def page(tables: dict[str, list[Row]], rounds: int) -> str:
    """The page of results, in Markdown."""
    lines = [
        "# Results",
        "",
        "Written by `make bench`. Everything ran on one machine, in turns, over loopback: the ratios mean something,",
        "the absolute numbers little. In brackets: lowest and highest ratio of all rounds, and their number.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d} · {_machine()} · Python {platform.python_version()}",
        "",
        " · ".join(f"{name} {version(name)}" for name in _PACKAGES) + f" · {rounds} rounds",
        "",
    ]
    for title, rows in tables.items():
        lines += [f"## {title}", "", "| | measured | target | met |", "|---|---|---|---|"]
        for row in rows:
            sign = "≥" if row.at_least else "≤"
            target = "" if row.target is None else f"{sign} {row.target:.3g}"
            lines.append(f"| {row.what} | {row.value} | {target} | {row.met} |")
        lines.append("")
    return "\n".join(lines)


def picture(series: dict[str, list[tuple[float, float, float]]]) -> str:
    """Throughput and memory against the file's size, as SVG. Points are (bytes, MB/s, MiB)."""
    panels = [
        _panel(series, 1, "Throughput, MB/s", 0),
        _panel(series, 2, "Memory growth of the web process, MiB", _WIDTH),
    ]
    legend = "".join(
        f'<circle cx="{_LEFT + 190 * i}" cy="16" r="5" fill="{colour}"/>'
        f'<text x="{_LEFT + 10 + 190 * i}" y="20">{name}</text>'
        for i, (name, colour) in enumerate(zip(series, _COLOURS, strict=True))
    )
    style = "text{font:12px system-ui,sans-serif;fill:#444}.t{font-weight:600;fill:#222}line{stroke:#ddd}"
    size = f'width="{2 * _WIDTH}" height="{_HEIGHT}" viewBox="0 0 {2 * _WIDTH} {_HEIGHT}"'
    body = f'<rect width="100%" height="100%" fill="#fff"/>{legend}{"".join(panels)}'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>{body}</svg>\n'


def _panel(series: dict[str, list[tuple[float, float, float]]], column: int, title: str, offset: int) -> str:
    top = _nice(max(point[column] for points in series.values() for point in points))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(size: float) -> float:
        return offset + _LEFT + width * (math.log10(size) - 6) / 3

    def y(value: float) -> float:
        return _TOP + height * (1 - value / top)

    grid = "".join(
        f'<line x1="{offset + _LEFT}" x2="{offset + _LEFT + width}" '
        f'y1="{y(top * i / 4):.0f}" y2="{y(top * i / 4):.0f}"/>'
        f'<text x="{offset + _LEFT - 8}" y="{y(top * i / 4) + 4:.0f}" text-anchor="end">{top * i / 4:g}</text>'
        for i in range(5)
    )
    ticks = "".join(
        f'<text x="{x(10**power):.0f}" y="{_TOP + height + 20}" text-anchor="middle">{10 ** (power - 6):g} MB</text>'
        for power in range(6, 10)
    )
    curves = "".join(
        _curve([(x(point[0]), y(point[column])) for point in points], colour)
        for points, colour in zip(series.values(), _COLOURS, strict=True)
    )
    return f'<text class="t" x="{offset + _LEFT}" y="40">{title}</text>{grid}{ticks}{curves}'


def _curve(points: list[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>{dots}'


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 8, 10, 20 … above `value`."""
    unit = 10.0 ** math.floor(math.log10(max(value, 1)))
    return next(step * unit for step in (1, 2, 4, 8, 10) if step * unit >= value)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    memory = Path("/proc/meminfo").read_text().split(maxsplit=2)[1]
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{cores} × {model}, {int(memory) / 2**20:.0f} GiB, Linux {platform.release().split('-')[0]}"
