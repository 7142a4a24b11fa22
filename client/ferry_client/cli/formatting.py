"""Sizes, names and summaries as text. Pure rules."""

from __future__ import annotations

import unicodedata


def format_size(bytes: float) -> str:
    """Return a size in decimal units: 999 B, 1.0 kB, 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes < 999.95:
            return f"{bytes:.0f} {unit}" if unit == "B" else f"{bytes:.1f} {unit}"
        bytes /= 1000
    return f"{bytes:.1f} TB"


def printable(text: str) -> str:
    """Replace control and format characters, which a terminal would obey: names are untrusted."""
    return "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


def truncate_middle(name: str, columns: int) -> str:
    """Fit `name` into `columns` of a terminal, with … in its middle: the end tells files apart."""
    if sum(map(_columns, name)) <= columns:
        return name
    tail = _fitting_start(name[::-1], (columns - 1) // 2)[::-1]
    return _fitting_start(name, columns - 1 - sum(map(_columns, tail))) + "…" + tail


def _fitting_start(text: str, columns: int) -> str:
    end = 0
    for char in text:
        columns -= _columns(char)
        if columns < 0:
            break
        end += 1
    return text[:end]


def _columns(char: str) -> int:
    """Return the width of a character: two for Chinese, Japanese and Korean ones, none for combining marks."""
    return 0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")


def format_summary(counts: dict[str, int], bytes: int, seconds: float) -> str:
    """Return the last line of a transfer: the number of files by result, transferred bytes, and rates."""
    transferred = next(iter(counts.values()))
    seconds = max(seconds, 0.001)
    rates = f"{format_size(bytes / seconds)}/s, {transferred / seconds:.0f} files/s"
    return f"{format_counts(counts)}; {format_size(bytes)} in {seconds:.1f} s: {rates}"


def format_dry_run(counts: dict[str, int], bytes: int) -> str:
    """Return the last line of a dry run: 3 to upload, 1 skipped, 0 failed."""
    planned = {result.replace("would ", "to "): number for result, number in counts.items()}
    return f"{format_counts(planned)}; {format_size(bytes)}; dry run: nothing was done"


def format_counts(counts: dict[str, int]) -> str:
    """Return the number of files by result."""
    return ", ".join(f"{number} {result}" for result, number in counts.items())
