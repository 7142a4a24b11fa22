"""The operations that the app's views declare, for parametrized tests."""

from __future__ import annotations

from api.openapi.operations import Operation, operations
from app import create_app

OPERATIONS = operations(create_app({"STORAGE": "memory"}))

__all__ = ["OPERATIONS", "Operation"]
