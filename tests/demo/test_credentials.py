"""Keys, tokens, and what belongs to whom."""

import base64
import json
import time

import pytest

READS = ["sessions", "training_runs", "checkpoints", "get_server_capabilities", "auth/apikey/me", "samplers/x"]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(("key", "words"), [(None, "Missing API key."), ("tml-wrong", "Invalid API key.")])
def test_without_a_good_key_everything_is_a_401(serve, browse, path, key, words):
    """A missing or wrong key is a 401, which no token exchange can heal."""
    reply = browse(serve(runs=1), key).get(path)
    assert (reply.status_code, reply.json()) == (401, {"detail": words})
    assert "WWW-Authenticate" not in reply.headers


def test_a_bad_key_is_told_before_bad_parameters(serve, browse):
    """The key is looked at first."""
    assert browse(serve(runs=1), "tml-wrong").get("checkpoints", params={"limit": 0}).status_code == 401


def test_config_has_the_flags(serve, browse):
    """Config tells whether to exchange the key, and where credentials come from."""
    server = serve(runs=1)
    config = browse(server).post("client/config", json={"sdk_version": "0.38.0"}).json()
    assert (config["pjwt_auth_enabled"], config["credential_default_source"]) == (False, "api_key")
    server.switches.pjwt_auth_enabled, server.switches.credential_default_source = True, "credential_cmd"
    config = browse(server).post("client/config", json={}).json()
    assert (config["pjwt_auth_enabled"], config["credential_default_source"]) == (True, "credential_cmd")


def token(web):
    """Exchange the key for a token."""
    return web.post("auth/token", json={}).json()["jwt"]


def test_token_tells_who_and_how_long(web):
    """A token is a JWT with sub, org_id, iat and exp."""
    jwt = token(web)
    body = jwt.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert jwt.startswith("eyJ")
    assert claims["sub"] == web.server.state.me.urn
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 5
    assert {"org_id", "email"} <= claims.keys()


def test_token_is_taken_in_place_of_the_key(serve, browse):
    """A token opens the same account; where the service requires it, a key alone does not."""
    server = serve(runs=3, require_jwt=True)
    web = browse(server)
    assert web.get("checkpoints").status_code == 401
    bearer = browse(server, token(web))
    assert bearer.json("checkpoints")["cursor"]["total_count"] > 0
    assert bearer.post("auth/token", json={}).status_code == 200


@pytest.mark.parametrize("spoil", ["expire", "revoke", "forge"])
def test_a_dead_token_says_invalid_token(serve, browse, spoil):
    """An expired, revoked or forged token is a 401 that asks for a new exchange."""
    server = serve(runs=1, jwt_lifetime=-1 if spoil == "expire" else 60)
    web = browse(server)
    jwt = token(web)
    if spoil == "revoke":
        server.tokens.revoke()
    reply = browse(server, jwt + ("x" if spoil == "forge" else "")).get("checkpoints")
    assert reply.status_code == 401
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


def test_two_keys_never_share_rows(serve, browse):
    """Every key has an account of its own, by token as well, and cannot reach into the other."""
    server = serve(runs=6, keys={"tml-demo": 1, "tml-other": 2})
    one, two = browse(server), browse(server, "tml-other")
    rows = [{row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 1000)} for web in (one, two)]
    assert rows[0]
    assert rows[1]
    assert not rows[0] & rows[1]
    by_token = browse(server, token(two)).rows("checkpoints", "checkpoints", 1000)
    assert {row["tinker_path"] for row in by_token} == rows[1]
    run = next(iter(rows[1])).removeprefix("tinker://").partition("/")[0]
    assert one.get(f"training_runs/{run}").status_code == 404


def test_key_info(web):
    """A key tells its name and whose it is."""
    shown = web.json("auth/apikey/me")
    assert set(shown) == {"key_id", "name", "note", "details"}
    assert isinstance(shown["key_id"], int)
