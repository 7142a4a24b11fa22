"""The container of an app's services."""

from __future__ import annotations

from dataclasses import fields

import pytest
from flask import Flask

from app import create_app
from services import Services, current_services
from storage.memory import MemoryStorage


def with_method(services: Services, method: str) -> list[object]:
    values = [getattr(services, field.name) for field in fields(services)]
    return [value for value in values if hasattr(value, method)]


def test_a_service_is_replaced_by_the_name_of_its_field(settings: dict[str, str]) -> None:
    storage = MemoryStorage("https://other.example.com")
    with create_app(settings, {"storage": storage}).app_context():
        assert current_services().storage is storage


def test_an_unknown_service_is_an_error(settings: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="storages"):
        create_app(settings, {"storages": MemoryStorage()})


def test_every_service_with_a_drain_method_is_drained(app: Flask) -> None:
    services = current_services()
    drained = {id(service) for service in services.drainables}
    assert drained == {id(service) for service in with_method(services, "drain")}


def test_the_container_is_frozen(app: Flask) -> None:
    with pytest.raises(AttributeError):
        current_services().storage = MemoryStorage()  # type: ignore[misc]
