"""The cache of an account: single objects and complete listings, separate for each key, invalidated by every write."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer, Hang, Reset, Truncate
from tinker_frames.rest.cache import AccountCache, CacheWarning

Make = Callable[..., tkf.Client]
LIST = "list_user_checkpoints"


def count_listings(server: DemoServer, endpoint: str) -> int:
    """Return how many times a listing was started."""
    return sum(call.query["offset"] == "0" for call in server.requests.to(endpoint))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def read_bytes_of_files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in files(folder))


def get_first(server: DemoServer, key: str | None = None) -> Any:
    return server.states[key or server.key].checkpoints_page(1, 0)[0][0]


def is_public(client: tkf.Client, path: str) -> bool:
    return bool(client.checkpoints().set_index("tinker_path").loc[path, "public"])


# ── contents ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_listing_is_one_entry(server: DemoServer, client_of: Make) -> None:
    """A listing of several pages is read once, cached as one entry, and served without a request."""
    server.faults.page_caps = {LIST: 50}
    cold = client_of(server).checkpoints()
    assert server.requests.count(LIST) > 3
    client = client_of(server)
    assert client.cache.info()["entries"] == 1
    server.requests.clear()
    warm = client.checkpoints()
    assert server.requests.count() == 0
    assert (cold.attrs["tinker"]["from_cache"], warm.attrs["tinker"]["from_cache"]) == (False, True)
    assert warm.attrs["tinker"]["fetched_at"] == cold.attrs["tinker"]["fetched_at"]
    stable = [column for column in cold.columns if not column.endswith("_days")]
    assert cold[stable].equals(warm[stable])


def test_single_objects_are_cached_and_refreshed(server: DemoServer, client: tkf.Client) -> None:
    """An object, even one read by POST, is requested once; `refresh=True` requests it again and caches the result."""
    row = get_first(server)
    run, session = row.run.training_run_id, row.run.session.session_id
    sampler = next(one for one in server.state.sessions() if one.samplers).samplers[0].sampler_id
    rest = client.rest
    for call, endpoint in (
        (lambda **o: rest.get_training_run(run, **o), "get_training_run"),
        (lambda **o: rest.get_session(session, **o), "get_session"),
        (lambda **o: rest.get_sampler(sampler, **o), "get_sampler"),
        (lambda **o: rest.get_weights_info_by_tinker_path(row.tinker_path, **o), "get_weights_info"),
        (rest.get_server_capabilities, "get_server_capabilities"),
    ):
        answers = [call(), call(), call(refresh=True), call()]
        assert answers[0] == answers[1] == answers[2] == answers[3]
        assert server.requests.count(endpoint) == 2


def test_objects_with_other_arguments_are_other_entries(server: DemoServer, client: tkf.Client) -> None:
    """Scope and body are part of the cache key."""
    rows = server.state.checkpoints_page(100, 0)[0]
    run = rows[0].run.training_run_id
    client.rest.get_training_run(run)
    client.rest.get_training_run(run, "accessible")
    for row in (rows[0], next(row for row in rows if row.run is not rows[0].run)):
        info = client.rest.get_weights_info_by_tinker_path(row.tinker_path)
        assert info["lora_rank"] == row.run.lora_rank
    assert server.requests.count("get_training_run") == 2
    assert server.requests.count("get_weights_info") == 2


def test_refresh_of_a_listing(server: DemoServer, client: tkf.Client) -> None:
    """`refresh=True` sees new rows, and the next plain call sees them too."""
    before = len(client.checkpoints())
    server.state.add_checkpoint(name="new")
    assert len(client.checkpoints()) == before
    assert len(client.checkpoints(refresh=True)) == before + 1
    assert len(client.checkpoints()) == before + 1


def test_errors_and_pages_and_secrets_are_not_kept(server: DemoServer, client: tkf.Client) -> None:
    """Errors, single pages, signed URLs, credentials and cookies are not cached."""
    server.faults.headers = {"set-cookie": "gate=COOKIE-SECRET"}
    client.rest.get_server_capabilities()
    client.rest.list_user_checkpoints(limit=10)
    client.rest.get_checkpoint_archive_url(get_first(server).tinker_path)
    external = server.state.add_checkpoint(kind="external", name="hf")
    client.rest.get_external_weights_urls(external.tinker_path)
    with pytest.raises(tkf.errors.NotFoundError):
        client.rest.get_training_run("missing")
    assert client.cache.info()["entries"] == 1
    content = read_bytes_of_files(Path(client.cache.info()["path"]).parent)
    for secret in (b"X-Sig", b"COOKIE-SECRET", server.key.encode(), b"missing"):
        assert secret not in content


def test_incomplete_answers_are_not_kept(server: DemoServer, client: tkf.Client) -> None:
    """A truncated body is never cached."""
    server.faults.truncate.append(Truncate("get_server_capabilities", times=1))
    assert client.rest.get_server_capabilities()["supported_models"]
    assert client.rest.get_server_capabilities()["supported_models"]
    assert server.requests.count("get_server_capabilities") == 2


# ── separation of accounts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_keys_never_share_rows(client_of: Make) -> None:
    """With the same folder and server, each key sees its own account only, cold and warm."""
    keys = {"tml-first-key-AAAA": 1, "tml-other-key-BBBB": 2}
    with DemoServer(runs=5, keys=keys) as server:
        clients = {key: client_of(server, api_key=key) for key in keys}
        for _ in range(2):
            for key, client in clients.items():
                rows, _ = server.states[key].checkpoints_page(10_000, 0)
                assert set(client.checkpoints()["tinker_path"]) == {row.tinker_path for row in rows}
                assert client.rest.get_training_run(rows[0].run.training_run_id)["base_model"]
        mine = get_first(server, "tml-first-key-AAAA").run.training_run_id
        with pytest.raises(tkf.errors.NotFoundError):
            clients["tml-other-key-BBBB"].rest.get_training_run(mine)
        paths = {client.cache.info()["path"] for client in clients.values()}
        assert len(paths) == 2
        assert len({client.account for client in clients.values()}) == 2
        clients["tml-first-key-AAAA"].cache.clear()
        assert clients["tml-other-key-BBBB"].cache.info()["entries"] > 0


def test_two_servers_never_share_rows(server: DemoServer, client_of: Make) -> None:
    """The same key at another address is another account."""
    with DemoServer(runs=3, seed=9) as other:
        here, there = client_of(server), client_of(other)
        assert not set(here.checkpoints()["tinker_path"]) & set(there.checkpoints()["tinker_path"])


def test_all_tokens_of_a_user_share_one_cache(server: DemoServer, client_of: Make) -> None:
    """A renewed JWT has the same account and uses its cache."""
    mint = lambda: server.tokens.issue(600, sub=server.state.me.urn, org_id=server.state.organization)  # noqa: E731
    client_of(server, api_key=mint()).checkpoints()
    assert client_of(server, api_key=mint()).checkpoints().attrs["tinker"]["from_cache"]


def test_key_is_in_no_byte(client_of: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file name or content in the cache contains the key, a token, or an access secret."""
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_ID", "CF-IDENTITY-0123")
    monkeypatch.setenv("CLOUDFLARE_ACCESS_CLIENT_SECRET", "CF-SECRET-4567")
    key = "tml-DISTINCTIVE-0123456789"
    with DemoServer(runs=5, key=key, pjwt_auth_enabled=True, require_jwt=True) as server:
        client = client_of(server)
        client.sessions(details=True)
        client.checkpoints()
        client.samplers()
        client.rest.get_server_capabilities()
        client.rest.get_weights_info_by_tinker_path(get_first(server).tinker_path)
        client.rest.publish_checkpoint(
            next(r for r in server.state.checkpoints_page(99, 0)[0] if not r.public).tinker_path
        )
        client.rest.get_server_capabilities()
        tokens = {call.headers["x-api-key"] for call in server.requests} - {key}
    content = read_bytes_of_files(tmp_path) + "".join(path.name for path in files(tmp_path)).encode()
    assert tokens
    assert len(content) > 10_000
    for secret in (key, key[4:], "CF-IDENTITY", "CF-SECRET", *tokens):
        assert secret.encode() not in content


def test_folder_and_files_are_private(server: DemoServer, client_of: Make, tmp_path: Path) -> None:
    """The folder is 0700 and every file 0600 under the usual umask, including the write marker."""
    old = os.umask(0o022)
    try:
        client = client_of(server, cache_dir=tmp_path / "mine")
        client.rest.unpublish_checkpoint(
            next(row for row in server.state.checkpoints_page(999, 0)[0] if row.public).tinker_path
        )
        client.checkpoints()
    finally:
        os.umask(old)
    found = files(tmp_path / "mine")
    assert {path.suffix for path in found} >= {".sqlite", ".written"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700


# ── invalidation by writes ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_write_in_this_client_outdates_everything(server: DemoServer, client: tkf.Client) -> None:
    """A write invalidates cached listings and single objects."""
    row = next(row for row in server.state.checkpoints_page(999, 0)[0] if not row.public)
    client.training_runs()
    client.rest.get_training_run(row.run.training_run_id)
    assert not is_public(client, row.tinker_path)
    client.rest.publish_checkpoint(row.tinker_path)
    server.requests.clear()
    assert is_public(client, row.tinker_path)
    client.training_runs()
    client.rest.get_training_run(row.run.training_run_id)
    assert [count_listings(server, LIST), count_listings(server, "list_training_runs")] == [1, 1]
    assert server.requests.count("get_training_run") == 1


@pytest.mark.parametrize("options", [{}, {"cache": False}])
def test_write_in_another_client_outdates_everything(
    server: DemoServer, client_of: Make, options: dict[str, Any]
) -> None:
    """A write by another client of the account is visible at once, even if that client has no cache."""
    reader, writer = client_of(server), client_of(server, **options)
    row = next(row for row in server.state.checkpoints_page(999, 0)[0] if not row.public)
    assert not is_public(reader, row.tinker_path)
    reader.rest.get_training_run(row.run.training_run_id)
    writer.rest.publish_checkpoint(row.tinker_path)
    assert is_public(reader, row.tinker_path)
    reader.rest.get_training_run(row.run.training_run_id)
    assert server.requests.count("get_training_run") == 2


WRITE = """
import sys, tinker_frames as tkf
url, key, folder, path = sys.argv[1:]
with tkf.Client(key, url, cache_dir=folder) as client:
    client.rest.publish_checkpoint(path)
"""


@pytest.mark.slow
def test_write_in_another_process_outdates_everything(server: DemoServer, client: tkf.Client, tmp_path: Path) -> None:
    """A write by another process is visible at once."""
    row = next(row for row in server.state.checkpoints_page(999, 0)[0] if not row.public)
    assert not is_public(client, row.tinker_path)
    arguments = [server.url, server.key, str(tmp_path / "cache"), row.tinker_path]
    subprocess.run([sys.executable, "-c", WRITE, *arguments], check=True, timeout=60)
    assert is_public(client, row.tinker_path)


@pytest.mark.parametrize("how", ["failed", "lost"])
def test_failed_writes_outdate_everything_too(server: DemoServer, client_of: Make, how: str) -> None:
    """A failed write may have been applied, so it invalidates the cache too."""
    client = client_of(server, retries=0)
    row = next(row for row in server.state.checkpoints_page(999, 0)[0] if row.expires_at is None)
    client.checkpoints()
    if how == "failed":
        server.faults.bursts.append(Burst("set_checkpoint_ttl", 403, times=None, then="apply"))
    else:  # and its effect cannot be read either
        server.faults.resets.append(Reset("set_checkpoint_ttl", times=None, then="apply"))

        def fail_later_lists(endpoint: str, content: Any) -> Any:
            if endpoint == "list_checkpoints":
                server.faults.bursts.append(Burst(endpoint, 502, times=None))
            return content

        server.faults.edit = fail_later_lists
    # The verifying read shows that the refused write was applied; if that read fails too, its error is raised.
    with nullcontext() if how == "failed" else pytest.raises(tkf.errors.TinkerError):
        client.rest.set_checkpoint_ttl_from_tinker_path(row.tinker_path, 7200)
    frame = client.checkpoints().set_index("tinker_path")
    assert frame.loc[row.tinker_path, "expires_at"] is not None
    assert count_listings(server, LIST) == 2


def test_write_during_a_sweep(server: DemoServer, client_of: Make) -> None:
    """A listing started before a write ended is not cached, so the next frame is correct."""
    reader, writer = client_of(server), client_of(server)
    row = next(row for row in server.state.checkpoints_page(999, 0)[0] if not row.public)
    reader.rest.get_server_capabilities()
    server.faults.hang.append(Hang(LIST, times=1, seconds=0.4, then="apply"))
    sweep = threading.Thread(target=reader.checkpoints)
    sweep.start()
    while not server.requests.count(LIST):
        time.sleep(0.005)
    writer.rest.publish_checkpoint(row.tinker_path)
    sweep.join()
    frame = reader.checkpoints().set_index("tinker_path")
    assert not frame.attrs["tinker"]["from_cache"]
    assert frame.loc[row.tinker_path, "public"]


def test_write_during_a_single_read(server: DemoServer, client_of: Make) -> None:
    """An object whose read overlapped a write is returned but not cached."""
    reader, writer = client_of(server), client_of(server)
    row = next(row for row in server.state.checkpoints_page(999, 0)[0] if not row.public)
    run = row.run.training_run_id
    reader.rest.get_server_capabilities()
    server.faults.hang.append(Hang("get_training_run", times=1, seconds=0.4, then="apply"))
    read = threading.Thread(target=reader.rest.get_training_run, args=(run,))
    read.start()
    while not server.requests.count("get_training_run"):
        time.sleep(0.005)
    writer.rest.publish_checkpoint(row.tinker_path)
    read.join()
    for _ in range(2):
        reader.rest.get_training_run(run)
    assert server.requests.count("get_training_run") == 2


LOCK = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def hold_lock(path: str) -> Iterator[None]:
    """Hold a database's write lock in another process."""
    holder = subprocess.Popen([sys.executable, "-c", LOCK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("opened", [True, False])
def test_locked_by_another_process(server: DemoServer, client_of: Make, opened: bool) -> None:
    """While another process holds the lock, waits are bounded, one warning is given, and rows are correct after a write."""
    client = client_of(server)
    row = next(row for row in server.state.checkpoints_page(999, 0)[0] if not row.public)
    assert not is_public(client, row.tinker_path)
    if not opened:
        client = client_of(server)
    with hold_lock(client.cache.info()["path"]), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client.rest.publish_checkpoint(row.tinker_path)
        for _ in range(3):
            assert is_public(client, row.tinker_path)
    assert [warning.category for warning in caught] == [CacheWarning]
    assert is_public(client_of(server), row.tinker_path)


# ── unusable caches ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("trouble", ["corrupt", "truncated", "foreign", "folder", "file", "full"])
def test_unusable_cache_is_said_once(server: DemoServer, client_of: Make, tmp_path: Path, trouble: str) -> None:
    """With a corrupt, truncated, foreign, missing or full cache every call returns the right rows, with one warning in all."""
    server.state.add_rows("list_user_checkpoints", 300)  # more than a database of two pages holds
    good = client_of(server)
    good.checkpoints()
    path = Path(good.cache.info()["path"])
    good.close()
    folder = path.parent
    if trouble == "corrupt":
        path.write_bytes(b"not a database" * 1000)
    elif trouble == "truncated":
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
    elif trouble == "foreign":
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE responses (a)")
        other.close()
    elif trouble == "folder":
        path.unlink()
        path.mkdir()
    elif trouble == "file":
        folder = tmp_path / "occupied"
        folder.write_text("in the way")
    client = client_of(server, cache_dir=folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if trouble == "full":
            cache = client.transport.cache
            assert cache is not None
            cache.clear()
            connection = cache._store._connect()
            connection.execute("PRAGMA max_page_count=2").fetchall()
        for _ in range(2):
            assert len(client.checkpoints()) == server.state.checkpoints_page(1, 0)[1]
            assert client.rest.get_server_capabilities()["supported_models"]
            client.training_runs()
    assert [warning.category for warning in caught] == [CacheWarning]
    assert client.cache.info()["enabled"] is (trouble in ("corrupt", "truncated"))
    if trouble in ("corrupt", "truncated"):
        assert client.checkpoints().attrs["tinker"]["from_cache"]


def test_doctored_listing_is_read_anew(server: DemoServer, client: tkf.Client) -> None:
    """A tampered entry costs a request and runs no code."""
    client.checkpoints()
    path = client.cache.info()["path"]
    with sqlite3.connect(path) as other:
        (key, value), *_ = other.execute("SELECT key, value FROM responses").fetchall()
        other.execute("UPDATE responses SET value = ? WHERE key = ?", (value.replace(b"training", b"straying"), key))
    other.close()
    assert len(client.checkpoints()) == server.state.checkpoints_page(1, 0)[1]


# ── age, size, options ───────────────────────────────────────────────────────────────────────────────────────────────


def test_entries_expire(server: DemoServer, client_of: Make) -> None:
    """Expired listings and objects are read again."""
    client = client_of(server, cache_ttl=1)
    client.checkpoints()
    client.rest.get_server_capabilities()
    time.sleep(1.2)
    assert not client.checkpoints().attrs["tinker"]["from_cache"]
    client.rest.get_server_capabilities()
    assert server.requests.count("get_server_capabilities") == 2


def test_shorter_life_of_another_client_holds(server: DemoServer, client_of: Make) -> None:
    """A client with a short TTL is not served entries that another one stored for longer."""
    patient, hasty = client_of(server), client_of(server, cache_ttl=1)
    patient.checkpoints()
    patient.rest.get_server_capabilities()
    time.sleep(1.1)
    assert not hasty.checkpoints().attrs["tinker"]["from_cache"]
    hasty.rest.get_server_capabilities()
    assert server.requests.count("get_server_capabilities") == 2
    assert patient.checkpoints().attrs["tinker"]["from_cache"]


def test_info_and_clear(server: DemoServer, client: tkf.Client) -> None:
    """`info` counts the entries, `clear` deletes them all, and the next call reads again."""
    client.checkpoints()
    client.rest.get_server_capabilities()
    about = client.cache.info()
    assert about["enabled"]
    assert about["entries"] == 2
    assert about["ttl_s"] == 300
    assert Path(about["path"]).exists()
    assert about["size_bytes"] >= Path(about["path"]).stat().st_size > 0
    client.cache.clear()
    assert client.cache.info()["entries"] == 0
    assert not client.checkpoints().attrs["tinker"]["from_cache"]


@pytest.mark.parametrize("options", [{"cache": False}, {"cache_ttl": 0}])
def test_cache_off(server: DemoServer, client_of: Make, tmp_path: Path, options: dict[str, Any]) -> None:
    """With the cache off, reads write nothing, and `info` and `clear` still work."""
    client = client_of(server, **options)
    for _ in range(2):
        client.checkpoints()
        client.rest.get_server_capabilities()
    assert count_listings(server, LIST) == server.requests.count("get_server_capabilities") == 2
    assert client.cache.info() == {"enabled": False, "path": None, "entries": 0, "size_bytes": 0, "ttl_s": 0.0}
    client.cache.clear()
    assert files(tmp_path) == []


def _in_child(url: str, key: str, folder: str, answers: Any) -> None:
    with tkf.Client(key, url, cache_dir=folder) as client:
        answers.put((len(client.checkpoints()), client.checkpoints().attrs["tinker"]["from_cache"]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_several_processes(server: DemoServer, client: tkf.Client, tmp_path: Path, method: str) -> None:
    """Processes that share a folder, forked or not, each get all rows."""
    rows = len(client.checkpoints())
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    arguments = (server.url, server.key, str(tmp_path / "cache"), answers)
    children = [context.Process(target=_in_child, args=arguments) for _ in range(2)]
    for child in children:
        child.start()
    found = [answers.get(timeout=60) for _ in children]
    for child in children:
        child.join(30)
    assert found == [(rows, True)] * 2
    assert len(client.checkpoints()) == rows


def test_client_is_usable_in_a_forked_child(server: DemoServer, client: tkf.Client) -> None:
    """A client made before a fork serves its cache in the child and keeps working in the parent."""
    rows = len(client.checkpoints())
    child = os.fork()
    if not child:
        good = False
        try:
            good = len(client.checkpoints()) == rows
        finally:
            os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert client.checkpoints().attrs["tinker"]["from_cache"]


def test_entries_of_the_future_are_read_again(
    server: DemoServer, client: tkf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the clock was set back, a listing that was read before is read again, and then cached."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    client.checkpoints()
    monkeypatch.undo()
    assert not client.checkpoints().attrs["tinker"]["from_cache"]
    assert client.checkpoints().attrs["tinker"]["from_cache"]
    cache = client.transport.cache
    assert cache is not None
    assert [cache.is_outdated(time.time() + ahead) for ahead in (-1, 1, 1e9, float("nan"))] == [False, True, True, True]


def test_a_write_dated_in_the_future_is_one_of_now(server: DemoServer, client: tkf.Client, tmp_path: Path) -> None:
    """A marker of the last write from the future outdates what is cached, gets the present time, and later reads are cached again."""
    client.checkpoints()
    marker = tmp_path / "cache" / f"{client.transport.account}.written"
    marker.touch()
    os.utime(marker, (time.time() + 86_400,) * 2)
    assert not client.checkpoints().attrs["tinker"]["from_cache"]
    assert client.checkpoints().attrs["tinker"]["from_cache"]
    assert marker.stat().st_mtime <= time.time()


def test_put_and_get(tmp_path: Path) -> None:
    """Bytes and the time of reading are returned, but not for a read started before a write."""
    cache = AccountCache(tmp_path, "a", 300)
    began = time.time()
    cache.put("k", b"body", began)
    assert cache.get("k") == (b"body", began)
    cache.invalidate()
    assert cache.get("k") is None
    cache.put("k", b"late", began)
    assert cache.get("k") is None
    cache.put("k", b"fresh", time.time())
    assert (cache.get("k") or (b"", 0))[0] == b"fresh"
    cache.close()
