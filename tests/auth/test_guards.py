"""Who may do what, over HTTP: keys, owners, quotas, rates, and who is let in without a key."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from auth import api_keys
from auth.exposure import check_exposure
from auth.guards import Authenticator, Scope, was_forwarded
from auth.key_cache import KeyCache
from config import ConfigError, Rate
from problems import Unauthorized
from services import current_services
from tests.conftest import drain
from tests.fakes import FORM, form, part, services_of


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def alice(app: Flask) -> dict[str, str]:
    return bearer(api_keys.create("alice", api_keys.SCOPES, None))


@pytest.fixture
def bob(app: Flask) -> dict[str, str]:
    return bearer(api_keys.create("bob", api_keys.SCOPES, None))


def sent(client: FlaskClient, headers: dict[str, str], mode: str = "normal", body: bytes = b"1234") -> TestResponse:
    return client.post(f"/{mode}_upload", data=form(part("file", body, "a.txt")), content_type=FORM, headers=headers)


def slug(answer: TestResponse) -> tuple[int, Any]:
    return answer.status_code, answer.get_json()["type"].removeprefix("/problems/")


def test_every_door_says_who_may_use_it(app: Flask) -> None:
    """One that says nothing would be open by oversight."""
    silent = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not hasattr(app.view_functions[rule.endpoint], "access")
    }

    assert silent == set()


def test_what_is_open_to_all_is_exactly_this(app: Flask) -> None:
    views = app.view_functions.items()
    assert {name for name, view in views if getattr(view, "access", "") is None} == {
        "ferry.index", "ferry.healthz", "ferry.ready", "ferry.problem_page",
        "api_docs.openapi_json", "api_docs.docs",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/problems/not-found", "/healthz", "/healthz/ready"])
def test_what_strangers_may_read_is_the_same_for_all(client: FlaskClient, alice: dict[str, str], path: str) -> None:
    stranger = client.get(path)

    assert (stranger.status_code, stranger.data) == (200, client.get(path, headers=alice).data)


def test_without_any_key_this_machine_is_let_in(client: FlaskClient) -> None:
    assert sent(client, {}).status_code == 201


@pytest.mark.parametrize(
    ("host", "anonymous", "has_key", "status"),
    [
        ("127.0.0.1", "0", False, 201),
        ("127.0.0.1", "0", True, 401),
        ("127.0.0.1", "1", True, 201),
        ("0.0.0.0", "0", False, 401),
        ("0.0.0.0", "1", False, 201),
    ],
)
def test_who_is_let_in_without_a_key(app: Flask, host: str, anonymous: str, has_key: bool, status: int) -> None:
    vars(app.config["FERRY"]).update(host=host, allow_anonymous=anonymous == "1")
    if has_key:
        api_keys.create("alice", ["read"], -1)

    assert sent(app.test_client(), {}).status_code == status


BY_A_PROXY = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded",
    "X-Original-Forwarded-For", "X-Real-IP", "X-Client-IP", "Client-IP", "CF-Connecting-IP", "CF-Ray",
    "True-Client-IP", "X-Cluster-Client-IP", "Fly-Client-IP", "Fastly-Client-IP", "X-Azure-ClientIP",
    "X-Appengine-User-IP", "X-ProxyUser-Ip", "X-Originating-IP", "X-Remote-Addr", "X-Envoy-External-Address",
    "X-Original-URI", "CDN-Loop", "Cloudfront-Viewer-Address", "X-Amzn-Trace-Id",
)  # fmt: skip


@pytest.mark.parametrize("header", BY_A_PROXY)
def test_who_comes_over_a_proxy_is_not_this_machine(client: FlaskClient, header: str) -> None:
    for name in (header, header.lower()):
        assert slug(sent(client, {name: "192.0.2.7"})) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("headers", "protocol", "connection", "forwarded"),
    [
        (["Host", "User-Agent", "Accept"], "HTTP/1.1", None, False),
        (["Host", "Origin", "Referer", "Sec-Fetch-Site", "X-Request-Id", "X-Requested-With"], "HTTP/1.1", None, False),
        (["Authorization", "Idempotency-Key", "Last-Event-ID", "Content-Type", "Viable"], "HTTP/1.1", "close", False),
        (["Host"], "HTTP/1.0", None, False),
        (["Host"], "HTTP/1.0", "keep-alive", False),
        (["Host"], "HTTP/1.0", "close", True),
        (["Host", "X-Forwarded-Host"], "HTTP/1.1", None, True),
        ([], "", None, False),
    ],
)
def test_what_shows_that_a_proxy_sent_it(
    headers: list[str], protocol: str, connection: str | None, forwarded: bool
) -> None:
    assert was_forwarded(headers, protocol, connection) is forwarded


def test_what_nginx_passes_on_by_default_is_not_this_machine(client: FlaskClient) -> None:
    """`proxy_pass http://127.0.0.1:5000;` and nothing else."""
    answer = client.get("/files", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_CONNECTION": "close"})

    assert slug(answer) == (401, "unauthorized")
    assert "proxy" in answer.get_json()["detail"]
    page = client.get("/", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_CONNECTION": "close"})
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.7", 401), ("2001:db8::1", 401), ("", 401)],
)
def test_only_who_comes_from_this_machine_is_this_machine(client: FlaskClient, address: str, status: int) -> None:
    """Whatever address gunicorn was told to listen on in place of HOST."""
    assert client.get("/files", environ_overrides={"REMOTE_ADDR": address}).status_code == status


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer ferry_0123456789ab_" + "a" * 43, "Bearer " + "a" * 4000],
)
def test_a_wrong_key_is_refused_even_where_none_is_needed(client: FlaskClient, authorization: str) -> None:
    answer = client.get("/files", headers={"Authorization": authorization})

    assert slug(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ferry"'


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [("upload", "POST", "/normal_upload"), ("upload", "POST", "/async_upload"), ("upload", "POST", "/celery_upload"),
     ("upload", "POST", "/files/x/retry"), ("read", "GET", "/files"), ("read", "GET", "/files/x"),
     ("read", "GET", "/files/x/content"), ("read", "GET", "/files/x/link"), ("read", "GET", "/files.zip?ids=x"),
     ("read", "GET", "/files/x/events"), ("read", "POST", "/files/status")],
)  # fmt: skip
def test_a_key_does_what_its_scopes_say_and_no_more(app: Flask, scope: str, method: str, path: str) -> None:
    client = app.test_client()
    others = [other for other in api_keys.SCOPES if other != scope]

    refused = client.open(path, method=method, headers=bearer(api_keys.create("a", others, None)))
    assert (*slug(refused), refused.get_json()["scope"]) == (403, "scope-missing", scope)
    allowed = client.open(path, method=method, headers=bearer(api_keys.create("a", [scope], None)))
    assert allowed.status_code not in (401, 403)


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_another_owners_file_is_answered_like_an_unknown_one(
    client: FlaskClient, alice: dict[str, str], bob: dict[str, str], mode: str
) -> None:
    mine = sent(client, alice, mode).headers["Location"]
    drain(client.application)
    unknown = mine[:-12] + "0" * 12

    assert client.get(mine, headers=alice).get_json()["status"] == "COMPLETE"
    for ask in (
        client.get,
        lambda path, headers: client.get(f"{path}/events", headers=headers),
        lambda path, headers: client.post(f"{path}/retry", headers=headers),
    ):
        answers = [ask(path, headers=bob) for path in (mine, unknown)]
        told = [
            (answer.status_code, answer.get_json() | {"instance": "", "request_id": ""}, answer.headers["Content-Type"])
            for answer in answers
        ]
        assert told[0] == told[1]
    assert client.get("/files", headers=bob).get_json()["files"] == []
    assert len(client.get("/files", headers=alice).get_json()["files"]) == 1


def test_all_keys_of_an_owner_see_the_same_files(client: FlaskClient, alice: dict[str, str]) -> None:
    other = bearer(api_keys.create("alice", ["read"], None))

    assert client.get(sent(client, alice).headers["Location"], headers=other).status_code == 200


def test_files_from_before_there_were_keys_belong_to_no_key(client: FlaskClient) -> None:
    before = sent(client, {}).headers["Location"]
    key = bearer(api_keys.create("alice", api_keys.SCOPES, None))

    assert client.get(before, headers=key).status_code == 404


def test_an_idempotency_key_of_another_owner_is_another_key(
    client: FlaskClient, alice: dict[str, str], bob: dict[str, str]
) -> None:
    key = {"Idempotency-Key": "same"}
    first, again, other = (sent(client, who | key).get_json()["id"] for who in (alice, alice, bob))

    assert first == again
    assert first != other


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
@pytest.mark.parametrize("quota", [{"quota_bytes": 7}, {"quota_files": 1}])
def test_a_quota_is_answered_with_its_numbers_and_leaves_nothing(
    client: FlaskClient, alice: dict[str, str], mode: str, quota: dict[str, int]
) -> None:
    api_keys.set_quotas("alice", **quota)
    assert sent(client, alice, mode).status_code in (201, 202)
    drain(client.application)

    answer = sent(client, alice, mode)
    assert slug(answer) == (403, "quota-exceeded")
    assert {name: answer.get_json()[name] for name in ("used_bytes", "used_files", *quota)} == {
        "used_bytes": 4, "used_files": 1, **quota
    }  # fmt: skip
    assert list(services_of(client.application).spool.files()) == []
    assert {file["status"] for file in client.get("/files", headers=alice).get_json()["files"]} <= {"COMPLETE", "ERROR"}


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_a_file_of_exactly_what_is_left_fits(client: FlaskClient, alice: dict[str, str], mode: str) -> None:
    api_keys.set_quotas("alice", quota_bytes=8)
    for _ in range(2):
        assert sent(client, alice, mode).status_code in (201, 202)
        drain(client.application)

    assert sent(client, alice, mode, b"").status_code in (201, 202)
    assert slug(sent(client, alice, mode, b"1")) == (403, "quota-exceeded")


def test_uploads_in_flight_are_bounded_for_an_owner_and_for_each_caller(
    client: FlaskClient, alice: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api_keys.set_quotas("alice", quota_uploads=1)
    with current_services().transfers.acquire("owner alice", 1):
        answer = sent(client, alice)
    assert slug(answer) == (429, "too-many-uploads")
    assert int(answer.headers["Retry-After"]) > 0
    assert sent(client, alice).status_code == 201

    monkeypatch.setattr("os.getpid", lambda: 1)
    most = client.application.config["FERRY"].most_uploads
    with current_services().transfers.acquire("process 1 alice", 1):
        assert sent(client, alice).status_code == (201 if most > 1 else 429)


@pytest.mark.parametrize(("scope", "path"), [("upload", "/normal_upload"), ("read", "/files")])
def test_who_asks_too_often_is_told_when_to_come_back(
    app: Flask, alice: dict[str, str], bob: dict[str, str], scope: Scope, path: str
) -> None:
    vars(app.config["FERRY"])[f"{scope}_rate"] = Rate(2, 86400)
    client = app.test_client()
    ask = {"upload": lambda who: sent(client, who), "read": lambda who: client.get("/files", headers=who)}[scope]

    assert [ask(alice).status_code < 300 for _ in range(3)] == [True, True, False]
    answer = ask(alice)
    assert slug(answer) == (429, "too-many-requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 86400
    assert ask(bob).status_code < 300


def test_requests_that_are_no_uploads_are_counted_together(app: Flask) -> None:
    """Of an owner whom no other test counts."""
    dora = bearer(api_keys.create("dora", api_keys.SCOPES, None))
    app.config["FERRY"].__dict__["read_rate"] = Rate(2, 86400)
    client = app.test_client()

    assert client.get("/files", headers=dora).status_code == 200
    assert client.delete("/files/x", headers=dora).status_code == 404
    for ask in (lambda: client.get("/files", headers=dora), lambda: client.delete("/files/x", headers=dora)):
        assert slug(ask()) == (429, "too-many-requests")
    assert sent(client, dora).status_code == 201


def refused(client: FlaskClient, address: str, **headers: str) -> TestResponse:
    return client.get("/files", headers=headers, environ_overrides={"REMOTE_ADDR": address})


WRONG = "Bearer ferry_0123456789ab_" + "a" * 43


@pytest.mark.parametrize(
    ("number", "headers"), [(1, {}), (2, {"Authorization": WRONG}), (3, {"Authorization": "Basic YTpi"})]
)
def test_refusals_are_counted_by_address_and_lock_no_good_key_out(
    app: Flask, number: int, headers: dict[str, str]
) -> None:
    good = bearer(api_keys.create(f"erin-{number}", ["read"], None))
    app.config["FERRY"].__dict__["read_rate"] = Rate(2, 86400)
    client = app.test_client()
    here, elsewhere = f"198.51.100.{number}", f"203.0.113.{number}"

    told = [slug(refused(client, address, **headers)) for address in (here, f"::ffff:{here}", here, elsewhere)]
    assert told == [(401, "unauthorized"), (401, "unauthorized"), (429, "too-many-requests"), (401, "unauthorized")]
    assert 0 < int(refused(client, here, **headers).headers["Retry-After"]) <= 86400
    assert client.get("/files", headers=good, environ_overrides={"REMOTE_ADDR": here}).status_code == 200
    assert client.get("/healthz", environ_overrides={"REMOTE_ADDR": here}).status_code == 200


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_revoked_key_and_the_first_key_are_noticed_within_seconds(app: Flask) -> None:
    clock = Clock()
    callers = Authenticator(KeyCache(clock))
    assert callers.authenticate(None, "127.0.0.1").owner is None
    token = api_keys.create("alice", ["read"], None)
    header = f"Bearer {token}"
    assert callers.authenticate(header, "").owner == "alice"
    api_keys.revoke(token.split("_")[1])
    clock.now += 5

    for authorization in (header, None):
        with pytest.raises(Unauthorized):
            callers.authenticate(authorization, "127.0.0.1")


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the keys that were looked up."""
    looked: list[str] = []
    find = api_keys.get_live
    monkeypatch.setattr(api_keys, "get_live", lambda id: looked.append(id) or find(id))
    return looked


def test_a_key_is_not_looked_up_for_every_request(app: Flask, looked: list[str]) -> None:
    known, token = KeyCache(Clock()), api_keys.create("alice", ["read"], None)
    for _ in range(3):
        known.lookup(token)

    assert len(looked) == 1


def test_a_new_token_of_a_known_key_is_good_at_once(app: Flask) -> None:
    known, old = KeyCache(Clock()), api_keys.create("alice", ["read"], None)
    id = old.split("_")[1]
    assert known.lookup(old)
    new = api_keys.rotate(id, 60) or ""
    assert [known.lookup(token) for token in (new, old)] == [api_keys.get_live(id)] * 2

    newest = api_keys.rotate(id, -1) or ""
    assert known.lookup(newest)
    assert [known.lookup(token) for token in (old, new)] == [None, None]


def test_only_who_has_the_token_has_used_the_key(app: Flask) -> None:
    clock = Clock()
    known, token = KeyCache(clock), api_keys.create("alice", ["read"], None)
    known.lookup(token[:-3] + "AAA")
    assert [key.used_at for key in api_keys.list_keys()] == [None]

    known.lookup(token)
    [used_at] = [key.used_at for key in api_keys.list_keys()]
    assert used_at is not None
    clock.now += 60
    known.lookup(token)
    assert [key.used_at for key in api_keys.list_keys()] == [used_at]


def test_guessing_costs_one_look_a_second_for_each_key(app: Flask, looked: list[str]) -> None:
    clock = Clock()
    known = KeyCache(clock)
    tokens = [api_keys.create("alice", ["read"], None) for _ in range(2)]
    wrong = [token[:-3] + "AAA" for token in tokens]
    for second in range(10):
        clock.now = 100.0 + second
        assert [known.lookup(token) for token in wrong * 20] == [None] * 40
        assert all(known.lookup(token) for token in tokens)

    assert len(looked) == 2 * 10


@pytest.mark.parametrize("address", [("0.0.0.0", 5000), ("::", 5000, 0, 0), ("192.0.2.7", 80), "/run/ferry.sock"])
def test_a_service_that_others_reach_starts_only_with_a_key_or_when_told_so(app: Flask, address: object) -> None:
    with pytest.raises(ConfigError, match="flask keys create"):
        check_exposure(app, [("127.0.0.1", 5000), address])

    app.config["FERRY"].__dict__["allow_anonymous"] = True
    check_exposure(app, [address])
    app.config["FERRY"].__dict__["allow_anonymous"] = False
    api_keys.create("alice", ["read"], None)
    check_exposure(app, [address])


def test_a_service_that_only_this_machine_reaches_starts_without(app: Flask) -> None:
    check_exposure(app, [("127.0.0.1", 5000), ("::1", 5000, 0, 0), ("::ffff:127.0.0.1", 5000, 0, 0)])
