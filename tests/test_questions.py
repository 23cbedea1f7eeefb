"""The sixteen questions of the documentation: one line of Python and one command each, and the server's own JSON as the answer."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

import tinker_frames as tkf
from tests.doc_tables import DOCS
from tinker_frames import policies
from tinker_frames.cli import main
from tinker_frames.demo import DemoServer
from tinker_frames.functions import set_default

TEXT = (DOCS / "questions.md").read_text(encoding="utf-8")
DAY = timedelta(days=1)
Answers = Callable[[str], Any]


def read_block(language: str) -> dict[int, str]:
    """Return the line of each question."""
    parts = re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    blocks = {int(number): re.search(rf"```{language}\n(.*?)\n```", part, re.DOTALL) for number, part in parts}
    return {number: block[1] for number, block in blocks.items() if block}


PYTHON, SHELL = read_block("python"), read_block("sh")


class Raw:
    """What the server itself says, page by page, with nothing of this package in between."""

    def __init__(self, server: DemoServer) -> None:
        self._url, self._headers = f"{server.url}/api/v1", {"X-API-Key": server.key}
        self.checkpoints = self._read("checkpoints", 1000)
        self.runs = self._read("training_runs", 500)
        search = {"limit": 200}
        self.sessions = self._send("POST", "sessions/search", json=search)["sessions"]
        for row in self.checkpoints:
            row["run"], row["name"] = row["tinker_path"].split("/")[2], row["tinker_path"].split("/")[4]

    def _send(self, method: str, path: str, **options: Any) -> Any:
        answer = requests.request(method, f"{self._url}/{path}", headers=self._headers, timeout=20, **options)
        answer.raise_for_status()
        return answer.json()

    def _read(self, table: str, limit: int, **more: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while page := self._send("GET", table, params={"limit": limit, "offset": len(rows)} | more)[table]:
            rows += page
        return rows

    def events(self, day: str) -> list[dict[str, Any]]:
        """Return the billing events since a day."""
        start, end, found = datetime.fromisoformat(f"{day}T00:00:00+00:00"), datetime.now(UTC), list[dict[str, Any]]()
        while start < end:
            span = {"starting_on": start.isoformat(), "ending_before": (start + 14 * DAY).isoformat()}
            found += self._send("GET", "billing/usage/events", params=span)["data"]
            start += 14 * DAY
        return found

    def reads(self) -> list[dict[str, Any]]:
        """Return the reads of checkpoints in the audit log of the last 61 days."""
        days = [str((datetime.now(UTC) - place * DAY).date()) for place in range(61)]
        asked = [{"event_type": "checkpoints", "day": day} for day in days]
        entries = [each for params in asked for each in self._send("GET", "audit", params=params)["entries"]]
        return [each for each in entries if each["event"] == "checkpoint_read"]

    def accessible_runs(self) -> list[dict[str, Any]]:
        """Return the runs of colleagues too."""
        return self._read("training_runs", 500, access_scope="accessible")

    def samplers(self) -> list[dict[str, Any]]:
        """Return every sampler that a session lists."""
        ids = [each for s in self.sessions for each in self._send("GET", f"sessions/{s['session_id']}")["sampler_ids"]]
        return [self._send("GET", f"samplers/{each}") for each in ids]

    def by_path(self) -> dict[str, dict[str, Any]]:
        """Return the checkpoints by their paths."""
        return {row["tinker_path"]: row for row in self.checkpoints}


def to_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def mark_failures(endpoint: str, body: Any) -> Any:
    """Let two sessions of the last week have failed, and one colleague's run be there."""
    if endpoint == "search_sessions":
        for row in body["sessions"][:2]:
            row["status"] = {
                "type": "failed",
                "category": "user",
                "message": "out of memory",
                "reason": {"type": "request", "request_id": "r", "request_type": "f"},
            }
    return body  # fmt: skip


@pytest.fixture(scope="module")
def read_server() -> Iterator[DemoServer]:
    """An account for the questions that only read."""
    with DemoServer(runs=24, seed=1) as running:
        running.faults.edit = mark_failures
        yield running


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Any]:
    """Return the answer of the line of Python, or of the command in JSON, to a question about an account."""
    monkeypatch.chdir(tmp_path)

    def ask(server: DemoServer, number: int, way: str, **names: str) -> Any:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        monkeypatch.setenv("TINKER_API_KEY", server.key)
        if way == "python":
            set_default(None)
            known = {"tkf": tkf, **vars(policies), "ckpts": tkf.checkpoints(), "pd": pd} | names
            return eval(PYTHON[number], known)
        line = SHELL[number].replace("$TINKER_PATH", names.get("path", "")).replace("$OWNER", names.get("owner", ""))
        arguments = shlex.split(line)
        form = [] if "export" in arguments else ["--format", "json"]
        monkeypatch.setattr(sys, "argv", [*arguments, *form])
        with pytest.raises(SystemExit) as ended:
            main.main()
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        return pd.DataFrame(json.loads(out)) if form else None

    return ask


def sum_sizes(rows: list[dict[str, Any]], key: Callable[[dict[str, Any]], Any]) -> dict[Any, int]:
    sums: dict[Any, int] = defaultdict(int)
    for row in rows:
        sums[key(row)] += row.get("size_bytes") or 0
    return dict(sums)


def read_loss(row: dict[str, Any]) -> float | None:
    try:
        value = float((row.get("user_metadata") or {}).get("loss", "nan"))
    except ValueError:
        return None
    return value if value - value == 0 else None


def list_kept(raw: Raw, *, last: int, best: bool, public: bool, final: bool) -> set[str]:
    """Return what the rules of questions 5 and 13 keep."""
    groups = defaultdict(list)
    for row in raw.checkpoints:
        groups[row["run"], row["checkpoint_type"]].append(row)
    kept = {
        row["tinker_path"]
        for row in raw.checkpoints
        if (public and row["public"]) or (final and "final" in row["name"])
    }
    for rows in groups.values():
        times = sorted((to_time(row["time"]) for row in rows), reverse=True)[:last]
        kept |= {row["tinker_path"] for row in rows if to_time(row["time"]) in times}
        losses = [loss for row in rows if (loss := read_loss(row)) is not None]
        kept |= {row["tinker_path"] for row in rows if best and losses and read_loss(row) == min(losses)}
    return kept


WAYS = pytest.mark.parametrize("way", ["python", "command"])


def test_every_question_has_both() -> None:
    """There are sixteen questions, each with one line of Python and one command."""
    assert list(PYTHON) == list(SHELL) == list(range(1, 17))
    assert not [line for line in [*PYTHON.values(), *SHELL.values()] if "\n" in line]


@WAYS
def test_1_storage_by_model(way: str, read_server: DemoServer, ask: Answers) -> None:
    """Gigabytes of each model are the sum of its checkpoints' sizes; `run` and `month` are groups as well."""
    raw, found = Raw(read_server), ask(read_server, 1, way)
    models = {run["training_run_id"]: run["base_model"] for run in raw.runs}
    sums = sum_sizes(raw.checkpoints, lambda row: models[row["run"]])
    assert dict(zip(found["model"], found["size_gb"], strict=True)) == pytest.approx(
        {k: v / 1e9 for k, v in sums.items()}
    )
    inventory = tkf.inventory()
    for group, key in (("run", lambda row: row["run"]), ("month", lambda row: row["time"][:7])):
        groups = inventory.tinker.sum_by(group)
        sums = sum_sizes(raw.checkpoints, key)
        expected = {name: size / 1e9 for name, size in sums.items() if size}
        known = groups[groups["size_gb"].fillna(0) > 0]
        assert dict(zip(known[group], known["size_gb"], strict=True)) == pytest.approx(expected)


@WAYS
def test_2_final_ones(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The paths are those that end with the name."""
    expected = {row["tinker_path"] for row in Raw(read_server).checkpoints if row["name"] == "final"}
    assert set(ask(read_server, 2, way)["tinker_path"]) == expected != set()


@WAYS
def test_3_failures(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The sessions failed and are younger than a week, with what they left."""
    since = datetime.now(UTC) - 7 * DAY
    rows = [
        s
        for s in Raw(read_server).sessions
        if (s.get("status") or {}).get("type") == "failed" and to_time(s["created_at"]) > since
    ]
    found = ask(read_server, 3, way)
    assert dict(zip(found["session_id"], found["checkpoints_count"], strict=True)) == {
        row["session_id"]: row["checkpoints_count"] for row in rows
    }
    assert found["size_gb"].sum() == pytest.approx(sum(row["checkpoint_storage_bytes"] or 0 for row in rows) / 1e9)
    assert len(rows) == 2


@WAYS
@pytest.mark.filterwarnings("ignore::tinker_frames.frames.metadata.MetadataWarning")
def test_4_sorted_by_loss(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The losses are numbers, smallest first."""
    losses = sorted(loss for row in Raw(read_server).checkpoints if (loss := read_loss(row)) is not None)
    assert [float(loss) for loss in ask(read_server, 4, way)["meta.loss"]] == pytest.approx(losses)
    assert len(losses) > 50


@WAYS
def test_5_keep_some_and_expire_the_rest(way: str, server: DemoServer, ask: Answers) -> None:
    """What the rule keeps has the expiry that it had; the rest expires within a day, but for what a guard holds."""
    before = Raw(server)
    kept = list_kept(before, last=3, best=True, public=True, final=False)
    ask(server, 5, way)
    after, loaded = Raw(server).by_path(), {sampler.get("model_path") for sampler in before.samplers()}
    for row in before.checkpoints:
        expires = to_time(after[row["tinker_path"]].get("expires_at"))
        if row["tinker_path"] in kept:
            assert expires == to_time(row.get("expires_at"))
        elif row["tinker_path"] not in loaded:
            assert expires is not None
            assert expires < datetime.now(UTC) + DAY + timedelta(minutes=5)
    assert 20 < len(kept) < len(after) - 20


@WAYS
def test_6_who_uses_a_checkpoint(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The samplers are those that name its path."""
    users = defaultdict(set)
    for sampler in Raw(read_server).samplers():
        users[sampler.get("model_path")].add(sampler["sampler_id"])
    path = max((each for each in users if each), key=lambda each: len(users[each]))
    assert set(ask(read_server, 6, way, path=path)["sampler_id"]) == users[path]


@WAYS
def test_7_extend_what_expires_soon(way: str, server: DemoServer, ask: Answers) -> None:
    """Each expiry within seven days is thirty days later, all others are as they were."""
    before, soon = Raw(server), datetime.now(UTC) + 7 * DAY
    ask(server, 7, way)
    after, extended = Raw(server).by_path(), 0
    for row in before.checkpoints:
        old, new = to_time(row.get("expires_at")), to_time(after[row["tinker_path"]].get("expires_at"))
        if old is not None and abs(old - soon) < timedelta(minutes=5):
            continue  # its time comes while the test runs
        if old is None or old >= soon:
            assert new == old
        else:
            assert abs(new - old - 30 * DAY) < timedelta(minutes=5)
            extended += 1
    assert extended > 5


@WAYS
def test_8_a_run_by_its_name(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The sessions whose name contains the text, and their runs, are found."""
    raw = Raw(read_server)
    sessions = {s["session_id"] for s in raw.sessions if "nightly sft" in (s.get("display_name") or "").lower()}
    runs = {run["training_run_id"] for run in raw.runs if run["training_run_id"].split(":")[0] in sessions}
    found = ask(read_server, 8, way)
    assert set(found.loc[found["table"] != "checkpoints", "id"]) == sessions | runs != set()


@WAYS
def test_9_a_nightly_inventory(way: str, server: DemoServer, ask: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has every checkpoint; a listing that may lack some raises, and ends the command with 3."""
    ask(server, 9, way)
    assert set(tkf.read_export("inventory.parquet")["tinker_path"]) == set(Raw(server).by_path())
    server.faults.edit = lambda _, body: (
        body | {"cursor": body["cursor"] | {"total_count": 10_000}}
        if "checkpoints" in body and "cursor" in body
        else body
    )
    if way == "python":
        tkf.default_client().cache.clear()
        with pytest.raises(tkf.errors.IncompleteListingError):
            eval(PYTHON[9], {"tkf": tkf})
        return
    monkeypatch.setattr(sys, "argv", [*shlex.split(SHELL[9]), "--refresh"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 3


@WAYS
def test_10_share_one(way: str, server: DemoServer, ask: Answers) -> None:
    """One private checkpoint is public afterwards, and the outcome says done; no other is."""
    before = Raw(server)
    path = next(row["tinker_path"] for row in before.checkpoints if not row["public"])
    assert ask(server, 10, way, path=path)["outcome"].tolist() == ["done"]
    public = {row["tinker_path"] for row in Raw(server).checkpoints if row["public"]}
    assert public == {row["tinker_path"] for row in before.checkpoints if row["public"]} | {path}


@WAYS
def test_11_the_largest_runs(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The ten largest come first, with the sums of their checkpoints' sizes."""
    sums = sum_sizes(Raw(read_server).checkpoints, lambda row: row["run"])
    assert ask(read_server, 11, way)["size_bytes"].tolist() == sorted(sums.values(), reverse=True)[:10]


@WAYS
def test_12_the_oldest_untouched(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The ten runs whose last request is longest ago come first."""
    runs = sorted(Raw(read_server).runs, key=lambda run: to_time(run["last_request_time"]))
    assert ask(read_server, 12, way)["training_run_id"].tolist() == [run["training_run_id"] for run in runs[:10]]


@WAYS
def test_13_what_a_rule_would_free(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The plan has the rows that the rule does not keep, with their sizes, and sends nothing."""
    raw = Raw(read_server)
    kept = list_kept(raw, last=3, best=False, public=False, final=True)
    rest = [row for row in raw.checkpoints if row["tinker_path"] not in kept]
    found = ask(read_server, 13, way)
    frame = found.frame if way == "python" else found
    assert set(frame["tinker_path"]) == {row["tinker_path"] for row in rest}
    assert frame["size_bytes"].sum() == sum(row.get("size_bytes") or 0 for row in rest)
    assert set(Raw(read_server).by_path()) == set(raw.by_path())


@WAYS
@pytest.mark.parametrize("whose", ["mine", "theirs"])
def test_14_what_belongs_to_one_person(way: str, whose: str, read_server: DemoServer, ask: Answers) -> None:
    """The runs are those of the owner, also of a colleague."""
    raw = Raw(read_server)
    me = raw.sessions[0]["owner"]
    runs = raw.accessible_runs()
    owner = me if whose == "mine" else next(run["model_owner"] for run in runs if run["model_owner"] != me)
    expected = {run["training_run_id"] for run in runs if run["model_owner"] == owner}
    assert set(ask(read_server, 14, way, owner=owner)["training_run_id"]) == expected
    assert os.environ["TINKER_BASE_URL"] == read_server.url


@pytest.mark.few(1)
@WAYS
def test_15_costs_by_month_and_person(way: str, read_server: DemoServer, ask: Answers) -> None:
    """Of each whole month, the sums are those of the priced events of each person, and the others are counted."""
    found = ask(read_server, 15, way)
    months = sorted(found["month"].unique())[1:-1]
    sums, unpriced = defaultdict[Any, float](float), defaultdict[Any, int](int)
    for event in Raw(read_server).events(f"{months[0]}-01"):
        group = event["bucket_start"][:7], event["user_id"]
        if group[0] in months:
            sums[group] += event["estimated_cost_usd"] or 0
            unpriced[group] += event["estimated_cost_usd"] is None
    whole = found[found["month"].isin(months)]
    groups = [*zip(whole["month"], whole["user_id"], strict=True)]
    assert dict(zip(groups, whole["cost_usd"].fillna(0), strict=True)) == pytest.approx(sums)
    assert dict(zip(groups, whole["unpriced_events"], strict=True)) == unpriced
    assert len(groups) > 2


@pytest.mark.few(1)
@WAYS
def test_16_the_best_the_public_and_the_read_stay(way: str, read_server: DemoServer, ask: Answers) -> None:
    """The plan has what is neither public nor read nor one of the two best of its run and type, and sends nothing."""
    read_server.write_logs("runs")
    raw, since = Raw(read_server), datetime.now(UTC) - 60 * DAY
    losses = tkf.Client(read_server.key, read_server.url).checkpoints().tinker.with_metrics("runs")
    ranks = losses.groupby(["training_run_id", "checkpoint_type"], observed=True)["test/nll"].rank(method="min")
    kept = set(losses.loc[~(ranks > 2), "tinker_path"]) | {r["tinker_path"] for r in raw.checkpoints if r["public"]}
    kept |= {each["tinker_path"] for each in raw.reads() if to_time(each["timestamp"]) >= since}
    found = ask(read_server, 16, way)
    frame = found.frame if way == "python" else found
    assert set(frame["tinker_path"]) == set(raw.by_path()) - kept
    assert "a month" in str(found) or way == "command"
    assert 10 < len(frame) < len(raw.checkpoints) - 10
