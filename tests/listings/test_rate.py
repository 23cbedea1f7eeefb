"""Dollars a month of what is stored: in every frame with sizes, by one request of a client, which no listing waits for."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames.demo import Burst, DemoServer

Make = Callable[..., tkf.Client]
RATE = "get_current_checkpoint_storage_usage"


def test_every_frame_with_sizes_has_their_cost(server: DemoServer, client_of: Make) -> None:
    """The cost is gigabytes times the server's rate, in listings, joins, plans and totals alike, and the rate is requested once."""
    client = client_of(server)
    frames = [client.checkpoints(), client.sessions(), client.training_runs(details=True), client.inventory()]
    frames += [client.checkpoints(frames[0]["training_run_id"].iloc[0]), frames[0].tinker.delete().frame]
    assert server.requests.count(RATE) == 1
    rate = client.rest.get_current_checkpoint_usage()["effective_rate_usd_per_gigabyte_month"]
    for frame in frames:
        pd.testing.assert_series_equal(frame["storage_usd_month"], frame["size_gb"] * rate, check_names=False)
        assert frame["storage_usd_month"].notna().any()
    groups = frames[3].tinker.sum_by("model", rate=rate)
    pd.testing.assert_frame_equal(groups, frames[3].tinker.sum_by("model"))
    assert groups["storage_usd_month"].sum() == pytest.approx(frames[3]["storage_usd_month"].sum())
    assert "storage_usd_month" not in client.training_runs()
    assert not [name for name in frames[3] if "storage_usd_month" in name and name != "storage_usd_month"]


def test_a_cached_listing_has_the_rate_of_an_earlier_client(server: DemoServer, client_of: Make) -> None:
    """What the cache answers is priced at the rate that is kept with it; nothing is sent."""
    first = client_of(server).checkpoints()
    sent = server.requests.count()
    again = client_of(server).checkpoints()
    assert server.requests.count() == sent
    pd.testing.assert_series_equal(again["storage_usd_month"], first["storage_usd_month"])


@pytest.mark.parametrize(("status", "is_final"), [(403, True), (404, True), (500, False), (429, False)])
def test_a_rate_that_is_refused(
    server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch, status: int, *, is_final: bool
) -> None:
    """Without it, the column is NaN and nothing else changes; a refusal is final for a client, a failure for some seconds."""
    monkeypatch.setattr("tinker_frames.listings.rate.PAUSE_S", 100.0)
    server.faults.bursts.append(Burst(RATE, status, times=None, retry_after="0.01"))
    client = client_of(server)
    for _ in range(2):
        frame = client.checkpoints(refresh=True)
        assert frame["storage_usd_month"].isna().all()
        assert frame["storage_usd_month"].dtype == "float64"
        assert frame.attrs["tinker"]["complete"]
        assert frame.attrs["tinker"]["lacks"] == ["base_model"]
    assert client.planner.read_rate() is None
    assert server.requests.count(RATE) == 1
    server.faults.clear()
    monkeypatch.setattr("tinker_frames.listings.rate.PAUSE_S", 0.0)
    assert client.checkpoints(refresh=True)["storage_usd_month"].isna().all() == is_final


def test_a_rate_that_fails_is_the_one_of_an_earlier_client(server: DemoServer, client_of: Make) -> None:
    """While the server fails, frames are priced at the rate that is kept."""
    first = client_of(server).checkpoints()
    server.faults.bursts.append(Burst(RATE, 503, times=None))
    again = client_of(server).checkpoints(refresh=True)
    pd.testing.assert_series_equal(again["storage_usd_month"], first["storage_usd_month"])


def test_no_listing_waits_for_the_rate(server: DemoServer, client_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that takes long is left out of this frame, and is in the next one."""
    monkeypatch.setattr("tinker_frames.listings.rate.LONGEST_WAIT_S", 0.01)
    server.faults.latency_of = {RATE: 0.4}
    client = client_of(server)
    assert client.checkpoints()["storage_usd_month"].isna().all()
    assert client.planner.read_rate() is not None
    assert client.checkpoints()["storage_usd_month"].notna().any()


@pytest.mark.parametrize(
    "body", [{}, {"effective_rate_usd_per_gigabyte_month": "dear"}, {"effective_rate_usd_per_gigabyte_month": -1}]
)
def test_what_is_no_price_is_not_known(server: DemoServer, client_of: Make, body: dict[str, object]) -> None:
    """An answer without a rate, or with one that is no price, leaves the column NaN."""
    server.faults.edit = lambda name, sent: body if name == RATE else sent
    assert client_of(server).sessions()["storage_usd_month"].isna().all()
