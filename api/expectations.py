"""What a field of a Struct must be, in words: for the details of errors about queries and JSON bodies."""

from __future__ import annotations

from msgspec.inspect import (
    DateTimeType,
    EnumType,
    IntType,
    ListType,
    LiteralType,
    Metadata,
    NoneType,
    Type,
    UnionType,
)  # fmt: skip


def value_type(kind: Type) -> Type:
    """`kind` without metadata and without null."""
    if isinstance(kind, Metadata):
        return value_type(kind.type)
    return value_type(_not_none(kind)) if isinstance(kind, UnionType) else kind


def expected(kind: Type) -> str:
    """What a value must be: "a number from 1 to 60", "one of a, b". `Meta(extra={"expected": …})` has precedence."""
    match kind:
        case Metadata():
            return str(kind.extra["expected"]) if kind.extra else expected(kind.type)
        case UnionType():
            return expected(_not_none(kind))
        case IntType():
            return f"a number from {kind.ge} to {kind.le}"
        case LiteralType():
            return f"one of {', '.join(map(str, kind.values))}"
        case EnumType():
            return f"one of {', '.join(kind.cls)}"
        case DateTimeType():
            return "a time such as 2026-11-20T10:24:31Z (RFC 3339)"
        case ListType():
            return f"a list of {kind.min_length or 0} to {kind.max_length} strings"
    return "a string"


def _not_none(union: UnionType) -> Type:
    [kind] = (each for each in union.types if not isinstance(each, NoneType))
    return kind
