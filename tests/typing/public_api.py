"""The public API as type checkers see it: this file is checked by mypy and pyright, both strict, and never run.

A changed parameter or result shows here. What has to be an error bears the codes of both checkers; a code that is not needed is an
error itself. `DataFrame` of pandas-stubs has no `tinker`, therefore `tkf.tinker(frame)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, assert_type

import pandas as pd

import tinker_frames as tkf
from tinker_frames import policies
from tinker_frames.listings.weights import ArchiveUrls

# ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────────

client = tkf.Client()
assert_type(client, tkf.Client)
assert_type(
    tkf.Client(
        "tml-…",
        "https://host/api",
        cache=False,
        cache_dir=Path(),
        cache_ttl=60.5,
        max_workers=4,
        retries=0,
        timeout=5,
        deadline=None,
    ),
    tkf.Client,
)
assert_type(tkf.connect(api_key="tml-…", base_url=None, cache_dir="folder", deadline=1.5), tkf.Client)
assert_type(tkf.default_client(), tkf.Client)
with tkf.Client() as entered:
    assert_type(entered, tkf.Client)
assert_type(client.base_url, str)
assert_type(client.account, str)
assert_type(client.cache.info(), dict[str, Any])
assert_type(client.cache.clear(), None)
assert_type(client.close(), None)

tkf.Client(retries="4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tkf.Client(retry=4)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
tkf.Client(None, None, False)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
tkf.connect(cache_tll=60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# ── costs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

assert_type(client.usage("30d", refresh=True, limit=3, progress=False, require_complete=True), pd.DataFrame)
assert_type(tkf.usage(date(2026, 11, 1), pd.Timestamp("2026-11-02", tz="UTC")), pd.DataFrame)
assert_type(client.storage(limit=0), pd.DataFrame)
assert_type(tkf.storage(), pd.DataFrame)
assert_type(client.costs(["month", "user"], start="2026-01", end=None), pd.DataFrame)
assert_type(tkf.costs(by="meta.team", start=timedelta(days=3)), pd.DataFrame)
tkf.costs(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tkf.usage(start=30)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# ── endpoints for admins ─────────────────────────────────────────────────────────────────────────────────────────────

assert_type(client.rest.get_audit_log("checkpoints", date(2026, 11, 20)), dict[str, Any])
assert_type(client.rest.get_audit_log(day="2026-11-20"), dict[str, Any])
assert_type(client.rest.get_api_key_info(), dict[str, Any])
assert_type(client.rest.get_billing_usage("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), dict[str, Any])
assert_type(client.rest.get_current_checkpoint_storage_usage(project_id=None), dict[str, Any])
client.rest.get_audit_log("everything")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────

assert_type(tkf.tinker(client.inventory()).sum_by(["model", "month"], rate=0.1), pd.DataFrame)
assert_type(client.find("nightly sft", refresh=True), pd.DataFrame)
assert_type(tkf.find("5b1f"), pd.DataFrame)
assert_type(client.training_runs(details=True), pd.DataFrame)
assert_type(
    client.sessions(
        details=True,
        refresh=True,
        limit=3,
        access_scope="accessible",
        project_id="p",
        progress=False,
        require_complete=True,
    ),
    pd.DataFrame,
)
assert_type(client.training_runs(limit=None, access_scope="owned", project_id=None, progress=None), pd.DataFrame)
assert_type(client.checkpoints("run", "user", refresh=True, limit=0, require_complete=True), pd.DataFrame)
assert_type(client.checkpoints(["run", "another"], by="run"), pd.DataFrame)
assert_type(client.samplers(access_scope="owned", project_id="p"), pd.DataFrame)
assert_type(client.inventory(by="auto", access_scope="owned", limit=5), pd.DataFrame)

assert_type(tkf.sessions(details=True, limit=3), pd.DataFrame)
assert_type(tkf.training_runs(project_id="p"), pd.DataFrame)
assert_type(tkf.checkpoints("run", by="run"), pd.DataFrame)
assert_type(tkf.samplers(), pd.DataFrame)
assert_type(tkf.inventory(by="user"), pd.DataFrame)

tkf.sessions("run")  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue]
tkf.checkpoints(by="runs")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
client.sessions(access_scope="all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tkf.checkpoints(project_id="p")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────

frame = tkf.checkpoints()
assert_type(tkf.export(frame, Path("rows.csv"), safe=False), Path)
assert_type(tkf.export(frame, "s3://bucket/rows.csv", encoding="utf-8-sig"), Path | str)
assert_type(tkf.read_export(Path("rows.csv"), safe=False), pd.DataFrame)

# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────

rows = tkf.tinker(frame)
assert_type(rows, tkf.TinkerAccessor)
assert_type(rows.publish(client=client), tkf.Plan)
assert_type(rows.unpublish(), tkf.Plan)
assert_type(rows.set_ttl("30d"), tkf.Plan)
assert_type(rows.set_ttl(None, client=client), tkf.Plan)
assert_type(rows.set_ttl(frame["ttl"]), tkf.Plan)
assert_type(rows.expire(after=timedelta(hours=2)), tkf.Plan)
assert_type(rows.delete(), tkf.Plan)
assert_type(rows.retire(keep=policies.keep_last(3), after="24h", client=client), tkf.Plan)
assert_type(rows.expand_metadata(), pd.DataFrame)
assert_type(rows.expand_metadata("user_metadata", numeric=False), pd.DataFrame)
assert_type(rows.weights_info(client=client, progress=False), pd.DataFrame)
assert_type(rows.with_metrics("~/runs", metrics=["test/*"], config=["learning_rate"]), pd.DataFrame)
assert_type(rows.with_metrics(frame, on="training_run_id"), pd.DataFrame)
assert_type(rows.with_reads("60d", client=client, progress=False), pd.DataFrame)
logs = tkf.logs(["~/runs/**", Path("more")])
assert_type(logs, tkf.Logs)
assert_type(logs.runs, pd.DataFrame)
assert_type(rows.with_metrics(logs), pd.DataFrame)
assert_type(tkf.lineage("tinker://run/weights/last", logs), tkf.Lineage)
assert_type(tkf.lineage("tinker://run/weights/last", logs="~/runs").frame, pd.DataFrame)
pages: pd.Series[str] = rows.console_url()
assert_type(rows.archive_urls(), ArchiveUrls)
urls: Mapping[str, str] = rows.archive_urls()

rows.expire(after=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
rows.retire()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
rows.publish(client)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
rows.vanish()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

plan = rows.delete()
assert_type(plan.frame, pd.DataFrame)
assert_type(plan.kept, pd.DataFrame | None)
assert_type(plan.id, str)
assert_type(plan.only("size_gb > 1"), tkf.Plan)
assert_type(plan.drop(["tinker://run/weights/last"]), tkf.Plan)
assert_type(plan.allow("public", "newest", "sampler"), tkf.Plan)
assert_type(plan.save("plan.json"), Path)
assert_type(plan.run(confirm=3, progress=False, max_workers=2, deadline=60.0), pd.DataFrame)
assert_type(plan.run(confirm=True), pd.DataFrame)
assert_type(tkf.load_plan("plan.json", client=client), tkf.Plan)
assert_type(tkf.journal(client=client), pd.DataFrame)
assert_type(tkf.resume("plan id", confirm=3, client=client, progress=False), pd.DataFrame)
assert_type(tkf.abandon(plan, client=client), None)
assert_type(tkf.undo(plan, client=client, progress=False), pd.DataFrame)
assert_type(client.load_plan("plan.json"), tkf.Plan)
assert_type(client.journal(), pd.DataFrame)
assert_type(client.resume(confirm=3, progress=False), pd.DataFrame)
assert_type(client.abandon(plan), None)
assert_type(client.undo("plan id", confirm=True), pd.DataFrame)

plan.run(confirm="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tkf.undo(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
client.resume(plan, client=client)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# ── keep rules ───────────────────────────────────────────────────────────────────────────────────────────────────────

assert_type(policies.keep_last(3, by="training_run_id"), policies.Rule)
assert_type(policies.keep_every(100), policies.Rule)
assert_type(policies.keep_final(), policies.Rule)
assert_type(policies.keep_public(), policies.Rule)
assert_type(policies.keep_named("eval-*"), policies.Rule)
assert_type(policies.newer_than(timedelta(days=3)), policies.Rule)
assert_type(policies.has_metadata("team", "one"), policies.Rule)
assert_type(policies.used_by_samplers(), policies.Rule)
assert_type(policies.no_ttl(), policies.Rule)
assert_type(policies.read_within(timedelta(days=60)), policies.Rule)
assert_type(policies.expiring(within="7d"), policies.Rule)
assert_type(policies.best("meta.loss", n=2, smallest=False, finite=True, per="session_id"), policies.Rule)
rule = policies.keep_last(2) | policies.keep_public() & ~policies.no_ttl()
assert_type(rule, policies.Rule)
assert_type(rule(frame), "pd.Series[bool]")
assert_type(rule.reasons(frame), "pd.Series[str]")

policies.keep_last("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────────

view = tkf.CheckpointsView(frame, client)
assert_type(tkf.explore(frame, client).frame, pd.DataFrame)
assert_type(tkf.explore("sessions").filtered, pd.DataFrame)
assert_type(rows.explore(client=client).selected, pd.DataFrame)
assert_type(tkf.TrainingRunsView().plan, tkf.Plan | None)
assert_type(tkf.SessionsView().outcomes, pd.DataFrame | None)
assert_type(tkf.explore("costs"), tkf.CostsView)
assert_type(tkf.CostsView(frame, layout={"width": "900px"}).frame, pd.DataFrame)
assert_type(view.code(), str)
assert_type(view.act("expire", after="24h"), None)
assert_type(view.propose(plan), None)
assert_type(view.wait(5), bool)
view.query = "size_gb > 1"
view.filters = {"created": {"older_than": 30}}
view.sort = ["-size_gb"]
view.columns = ["tinker_path"]

# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────

with tkf.demo.account(runs=3, checkpoints=40, archive="json", retries=0) as account:
    assert_type(account, tkf.Client)
error: tkf.errors.TinkerError = tkf.errors.NotFoundError("no such run", status=404)
assert_type(error.retryable, bool)
assert_type(tkf.catalog.TABLES["checkpoints"].names, list[str])
assert_type(tkf.__version__, str)
tkf.demo.account(foo=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
tkf.nonsense()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
