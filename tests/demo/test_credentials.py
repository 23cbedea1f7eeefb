"""API keys, JWTs, and the separation of accounts."""

import base64
import json
import time

import pytest

READS = ["sessions", "training_runs", "checkpoints", "get_server_capabilities", "auth/apikey/me", "samplers/x"]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(("key", "detail"), [(None, "Missing API key."), ("tml-wrong", "Invalid API key.")])
def test_a_missing_or_wrong_key_is_a_401(serve, browse, path, key, detail):
    """A missing or wrong key is a 401 without WWW-Authenticate, so no token exchange is attempted."""
    reply = browse(serve(runs=1), key).get(path)
    assert (reply.status_code, reply.json()) == (401, {"detail": detail})
    assert "WWW-Authenticate" not in reply.headers


def test_the_key_is_checked_before_the_parameters(serve, browse):
    """A wrong key is a 401 even if the parameters are invalid."""
    assert browse(serve(runs=1), "tml-wrong").get("checkpoints", params={"limit": 0}).status_code == 401


def test_config_has_the_flags(serve, browse):
    """The client config has the flags for the token exchange and the credential source."""
    server = serve(runs=1)
    config = browse(server).post("client/config", json={"sdk_version": "0.38.0"}).json()
    assert (config["pjwt_auth_enabled"], config["credential_default_source"]) == (False, "api_key")
    server.switches.pjwt_auth_enabled, server.switches.credential_default_source = True, "credential_cmd"
    config = browse(server).post("client/config", json={}).json()
    assert (config["pjwt_auth_enabled"], config["credential_default_source"]) == (True, "credential_cmd")


def exchange_key(web):
    """Return a JWT in exchange for the key."""
    return web.post("auth/token", json={}).json()["jwt"]


def test_token_claims(web):
    """The JWT has the claims sub, org_id, email, iat and exp."""
    jwt = exchange_key(web)
    body = jwt.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert jwt.startswith("eyJ")
    assert claims["sub"] == web.server.state.me.urn
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 5
    assert {"org_id", "email"} <= claims.keys()


def test_a_token_is_accepted_instead_of_the_key(serve, browse):
    """A JWT gives access to the same account; where the service requires it, the key alone is refused."""
    server = serve(runs=3, require_jwt=True)
    web = browse(server)
    assert web.get("checkpoints").status_code == 401
    bearer = browse(server, exchange_key(web))
    assert bearer.json("checkpoints")["cursor"]["total_count"] > 0
    assert bearer.post("auth/token", json={}).status_code == 200


@pytest.mark.parametrize("spoil", ["expire", "revoke", "forge"])
def test_an_invalid_token_is_a_401_with_invalid_token(serve, browse, spoil):
    """An expired, revoked or forged JWT is a 401 that asks for a new exchange."""
    server = serve(runs=1, jwt_lifetime=-1 if spoil == "expire" else 60)
    web = browse(server)
    jwt = exchange_key(web)
    if spoil == "revoke":
        server.tokens.revoke()
    reply = browse(server, jwt + ("x" if spoil == "forge" else "")).get("checkpoints")
    assert reply.status_code == 401
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


def test_two_keys_never_share_rows(serve, browse):
    """Each key, and each JWT, has its own account and cannot read the other."""
    server = serve(runs=6, keys={"tml-demo": 1, "tml-other": 2})
    one, two = browse(server), browse(server, "tml-other")
    rows = [{row["tinker_path"] for row in web.rows("checkpoints", "checkpoints", 1000)} for web in (one, two)]
    assert rows[0]
    assert rows[1]
    assert not rows[0] & rows[1]
    by_token = browse(server, exchange_key(two)).rows("checkpoints", "checkpoints", 1000)
    assert {row["tinker_path"] for row in by_token} == rows[1]
    run = next(iter(rows[1])).removeprefix("tinker://").partition("/")[0]
    assert one.get(f"training_runs/{run}").status_code == 404


def test_api_key_description(web):
    """The key's endpoint returns its id, name, note and owner."""
    content = web.json("auth/apikey/me")
    assert set(content) == {"key_id", "name", "note", "details"}
    assert isinstance(content["key_id"], int)
