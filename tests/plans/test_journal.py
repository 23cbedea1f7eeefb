"""The journal's file: append-only, private, whole after a kill, and shared by processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.functions import journal
from tinker_frames.plans.journal import Journal

Make = Callable[..., tkf.Client]
ROW = {"before": {"public": False, "expires_at": None}, "expiry": {"ttl_seconds": None, "until": None}, "key": "k"}
CHECKOUT = Path(__file__).parents[1]


def begun(folder: Path, rows: int = 3) -> Journal:
    """Return a journal with one plan begun."""
    journal = Journal("acc", folder / "journal")
    journal.record_plan(
        "plan-1", "http://server", "delete", [ROW | {"tinker_path": f"tinker://r/weights/{n}"} for n in range(rows)]
    )
    return journal


def test_a_row_is_not_begun_then_begun_then_ended(tmp_path: Path) -> None:
    """Each note moves a row on; an unknown end leaves it open, and a later note corrects an earlier one."""
    journal, path = begun(tmp_path, 1), "tinker://r/weights/0"
    states = [journal.read_plans()[0].rows[path].state]
    journal.record_attempt("plan-1", path, 1)
    states.append(journal.read_plans()[0].rows[path].state)
    journal.record_outcome("plan-1", path, "unknown", 500, "oh")
    states.append(journal.read_plans()[0].rows[path].state)
    assert len(journal.read_plans()[0].open_rows) == 1
    journal.record_outcome("plan-1", path, "done")
    states.append(journal.read_plans()[0].rows[path].state)
    assert states == ["not begun", "begun", "begun", "ended"]
    row = journal.read_plans()[0].rows[path]
    assert (row.outcome, row.status, row.error, row.attempts) == ("done", None, None, 1)
    assert journal.read_plans()[0].open_rows == []
    journal.record_end("plan-1")
    assert journal.read_plans()[0].ended


def test_file_and_folder_are_the_owners_alone(tmp_path: Path) -> None:
    """The file is 0600 in a folder 0700, and is listed as the account's."""
    journal = begun(tmp_path)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    assert [path.stem for path in (tmp_path / "journal").glob("*.jsonl")] == ["acc"]


def test_it_is_only_ever_appended_to(tmp_path: Path) -> None:
    """What was written stays byte for byte, whatever is noted afterwards."""
    journal = begun(tmp_path)
    first = journal.path.read_bytes()
    journal.record_attempt("plan-1", "tinker://r/weights/0", 1)
    journal.record_outcome("plan-1", "tinker://r/weights/0", "failed", 403, "no\nline break")
    journal.record_plan("plan-2", "http://server", "publish", [])
    content = journal.path.read_bytes()
    assert content.startswith(first)
    assert content.count(b"\n") == 4
    assert all(json.loads(line)["at"] for line in content.splitlines())


@given(cut=st.integers(1, 400))
@settings(max_examples=30)
def test_a_torn_last_line_costs_that_line_only(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """After a kill in the middle of a line all lines before it are read, and what is noted next is whole."""
    journal = begun(tmp_path_factory.mktemp("torn"))
    whole = journal.path.stat().st_size
    journal.record_outcome("plan-1", "tinker://r/weights/0", "done")
    journal.record_outcome("plan-1", "tinker://r/weights/1", "failed", 500, "x" * 300)
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[: max(whole, len(content) - cut)])
    assert list(journal.read_plans()[0].rows) == [f"tinker://r/weights/{n}" for n in range(3)]
    journal.record_outcome("plan-1", "tinker://r/weights/2", "done")
    assert journal.read_plans()[0].rows["tinker://r/weights/2"].outcome == "done"


@pytest.mark.slow
def test_lines_of_several_threads_and_processes_do_not_mix(tmp_path: Path) -> None:
    """Two processes with threads that write long lines at once lose and mix none."""
    script = (
        "import sys, threading; from pathlib import Path; from tinker_frames.plans.journal import Journal\n"
        "journal = Journal('acc', Path(sys.argv[1]))\n"
        "def write(t):\n"
        "    for n in range(50): journal.record_outcome(sys.argv[2], f'{t}-{n}', 'failed', 1, 'x' * 5000)\n"
        "threads = [threading.Thread(target=write, args=(t,)) for t in range(3)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with (
        subprocess.Popen([*command, "one"], cwd=CHECKOUT) as one,
        subprocess.Popen([*command, "two"], cwd=CHECKOUT) as two,
    ):
        assert (one.wait(60), two.wait(60)) == (0, 0)
    lines = [json.loads(line) for line in (tmp_path / "acc.jsonl").read_bytes().splitlines() if line]
    assert {(line["plan"], line["tinker_path"]) for line in lines} == {
        (plan, f"{thread}-{number}") for plan in ("one", "two") for thread in range(3) for number in range(50)
    }


@given(
    st.lists(
        st.one_of(st.text(max_size=60), st.sampled_from(["{}", "[]", "null", '{"event":"send"}', '{"event":"plan"}'])),
        max_size=8,
    )
)
@settings(max_examples=50)
def test_foreign_lines_are_passed_over(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """Lines that are no notes of ours, or of a plan that is not known, change nothing of the plans that are."""
    journal = begun(tmp_path_factory.mktemp("foreign"))
    with journal.path.open("ab") as file:
        file.write("\n".join(lines).encode("utf-8", "replace"))
    journal.record_outcome("plan-1", "tinker://r/weights/1", "done")
    record = next(record for record in journal.read_plans() if record.plan == "plan-1")
    assert record.rows["tinker://r/weights/1"].outcome == "done"


def test_a_note_is_there_before_its_request(server: DemoServer, client: tkf.Client) -> None:
    """When the server gets a write, the journal already says that it is being sent, and of the earlier ones how they ended."""
    plan = client.checkpoints().query("not public").head(6).tinker.publish()
    wrong: list[str] = []
    server.faults.write_latency = 0.05
    worker = threading.Thread(target=lambda: plan.run(confirm=True, max_workers=1))
    worker.start()
    seen = 0
    while worker.is_alive():
        calls = server.requests.to("publish_checkpoint")
        if len(calls) > seen:
            seen = len(calls)
            rows = Journal(client.account).read_plans()[-1].rows.values()
            if (
                sum(row.sent_at is not None for row in rows) < seen
                or sum(row.state == "ended" for row in rows) < seen - 1
            ):
                wrong.append(f"{seen}")
    worker.join()
    assert seen == 6
    assert not wrong


@pytest.mark.parametrize("spoil", ["file in the way", "no folder"])
def test_without_a_journal_nothing_is_sent(server: DemoServer, client: tkf.Client, spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Where the journal cannot be written, run() says so with its path and what to do, and no write is sent."""
    plan = client.checkpoints().query("not public").head(3).tinker.publish()
    place = tmp_path / "state"
    if spoil == "no folder":
        place.write_text("a file where a folder should be")
    else:
        (place / "tinker-frames" / "journal" / f"{client.account}.jsonl").mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(place))
    with pytest.raises(errors.TinkerError, match=r"journal.*cannot be (written|read)"):
        plan.run(confirm=True)
    assert server.requests.count("publish_checkpoint") == 0


def test_a_journal_that_stops_taking_notes_stops_the_plan(server: DemoServer, client: tkf.Client) -> None:
    """If the journal breaks in the middle, what is begun is what was noted, and nothing further is sent."""
    plan = client.checkpoints().query("not public").head(40).tinker.publish()
    path = Journal(client.account).path
    server.faults.write_latency = 0.03
    failed: list[BaseException] = []

    def run() -> None:
        try:
            plan.run(confirm=True)
        except errors.TinkerError as error:
            failed.append(error)

    worker = threading.Thread(target=run)
    worker.start()
    while server.requests.count("publish_checkpoint") < 6:
        pass
    moved, nowhere = path.with_suffix(".moved"), path.with_suffix(".nowhere")
    moved.hardlink_to(path)  # keeps every note up to the moment of the swap, which is one step
    nowhere.symlink_to(path.parent / "no folder" / "here")
    nowhere.replace(path)
    worker.join(20)
    for sender in [thread for thread in threading.enumerate() if thread.name.startswith("tinker-frames-plan")]:
        sender.join(20)  # what was under way ends on its own, and is not to end between two looks
    assert failed
    assert "journal" in str(failed[0])
    assert server.requests.count("publish_checkpoint") < 40
    path.unlink()
    moved.rename(path)
    frame = journal(client=client)
    begun_rows = set(frame.loc[frame["sent_at"].notna(), "tinker_path"])
    published = {name for name in plan.frame["tinker_path"] if server.state.find(name).public}
    assert published - set(plan.frame.query("verdict != 'send'")["tinker_path"]) <= begun_rows


def test_no_key_and_no_signed_url_is_in_it(client_of: Make) -> None:
    """Neither the key nor the query of an address that a server quotes in its errors is written."""
    with DemoServer(runs=4, key="tml-very-secret-key-0123456789") as server:
        client = client_of(server)
        plan = client.checkpoints().query("not public").head(3).tinker.publish()
        quoted = f"no {server.key} at https://storage.example/x?X-Sig=SIGNATURE"
        server.faults.bursts = [Burst("publish_checkpoint", 403, times=None, detail=quoted)]
        outcomes = plan.run(confirm=True)
        assert set(outcomes["outcome"]) == {"failed"}
        plan.frame.tinker.archive_urls(client=client)
        text = Journal(client.account).path.read_text()
        for secret in (server.key, "SIGNATURE"):
            assert secret not in text
            assert not outcomes["error"].str.contains(secret, regex=False).any()
