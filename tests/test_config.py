"""Settings: defaults, lists, retired names, the error that stops the start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import create_app
from config import SETTINGS, Config, ConfigError
from config_types import RETIRED


def test_an_empty_environment_gives_every_default() -> None:
    config = Config.from_env({})

    assert config.port == 5000
    assert config.max_file_size == 5 * 2**30
    assert config.spool_dir == Path("var/spool").absolute()
    assert config.sqlalchemy_database_uri == f"sqlite:///{Path('var').absolute()}/ferry.db"


def test_paths_follow_the_data_folder() -> None:
    config = Config.from_env({"FERRY_DATA": "/srv/ferry"})

    assert config.spool_dir == Path("/srv/ferry/spool")
    assert config.sqlalchemy_database_uri == "sqlite:////srv/ferry/ferry.db"


def test_an_empty_value_means_the_default() -> None:
    assert Config.from_env({"PORT": " "}).port == 5000


def test_an_empty_list_accepts_everything() -> None:
    assert Config.from_env({}).allowed_types == ()


def test_lists_have_commas_and_may_have_spaces() -> None:
    config = Config.from_env(
        {
            "TRUSTED_HOSTS": "Ferry.example.com, [::1], 2001:DB8::0:1",
            "CORS_ORIGINS": "https://a.example,http://localhost:5173",
        }
    )

    assert config.trusted_hosts == ("ferry.example.com", "[::1]", "[2001:db8::1]")
    assert config.cors_origins == ("https://a.example", "http://localhost:5173")


def test_the_uncommented_example_equals_the_defaults() -> None:
    lines = (Path(__file__).parent.parent / ".env.example").read_text().splitlines()
    env = dict(line[1:].split("=", 1) for line in lines if line.startswith("#") and line[1] != " ")

    assert Config.from_env(env) == Config.from_env({})


def test_an_invalid_setting_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="MAX_FILE_SIZE=ten"):
        create_app({"MAX_FILE_SIZE": "ten"})


def test_all_invalid_settings_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env({"PORT": "x", "WEB_THREADS": "0"})

    assert "PORT=x" in str(refused.value)
    assert "WEB_THREADS=0" in str(refused.value)


def test_invalid_settings_of_a_backend_are_reported_with_the_others() -> None:
    env = {"PORT": "x", "S3_PREFIX": "up", "S3_SSE": "AES256", "S3_SSE_KMS_KEY_ID": "alias/ferry", "STORAGE": "memory"}
    with pytest.raises(ConfigError) as refused:
        Config.from_env(env)

    for line in ("PORT=x: ", "S3_PREFIX=up: ", "S3_SSE_KMS_KEY_ID: requires S3_SSE=aws:kms or aws:kms:dsse"):
        assert f"\n  {line}" in str(refused.value)


@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_name_stops_the_start_and_names_its_replacement(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env({name: "1"})

    message = str(refused.value)
    assert f"{name}: {RETIRED[name]}" in message
    assert name not in SETTINGS
    assert "was removed: " in message or set(re.findall(r"is now (\w+)", message)) <= set(SETTINGS)


def test_an_empty_retired_name_is_ignored() -> None:
    assert Config.from_env(dict.fromkeys(RETIRED, " ")) == Config.from_env({})
