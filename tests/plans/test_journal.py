"""The journal file: append-only, private, intact after a kill, and shared by processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinker_frames as tkf
from tests.events import Watch
from tinker_frames import errors
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.functions import journal, undo
from tinker_frames.plans import journal as journal_module
from tinker_frames.plans.jobs import Job, RequestedExpiry, State
from tinker_frames.plans.journal import Journal

Make = Callable[..., tkf.Client]
CHECKOUT = Path(__file__).parents[1]


def start(folder: Path, rows: int = 3) -> Journal:
    """Return a journal with one started plan."""
    journal = Journal("acc", folder / "journal")
    jobs = [Job(f"tinker://r/weights/{n}", State(False, None), RequestedExpiry()) for n in range(rows)]
    journal.record_plan("plan-1", "http://server", "delete", jobs)
    return journal


def test_a_row_is_not_begun_then_begun_then_ended(tmp_path: Path) -> None:
    """Each record advances a row; an unknown outcome leaves it open, and a later record corrects an earlier one."""
    journal, path = start(tmp_path, 1), "tinker://r/weights/0"
    states = [journal.read_plans()[0].rows[path].state]
    journal.record_attempt("plan-1", path, 1, datetime.now(UTC))
    states.append(journal.read_plans()[0].rows[path].state)
    journal.record_outcome("plan-1", path, "unknown", 500, "oh")
    states.append(journal.read_plans()[0].rows[path].state)
    assert len(journal.read_plans()[0].open_rows) == 1
    journal.record_outcome("plan-1", path, "done")
    states.append(journal.read_plans()[0].rows[path].state)
    assert states == ["planned", "sent", "sent", "ended"]
    row = journal.read_plans()[0].rows[path]
    assert (row.outcome, row.status, row.error, row.attempts) == ("done", None, None, 1)
    assert journal.read_plans()[0].open_rows == []
    journal.record_end("plan-1")
    assert journal.read_plans()[0].ended


def test_file_and_folder_are_the_owners_alone(tmp_path: Path) -> None:
    """The file is 0600 in a folder 0700, and is listed for the account."""
    journal = start(tmp_path)
    assert stat.S_IMODE(journal.find_path("plan-1").stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "journal").iterdir()] == ["acc"]


def test_it_is_only_ever_appended_to(tmp_path: Path) -> None:
    """Existing lines are never changed by later records."""
    journal = start(tmp_path)
    path = journal.find_path("plan-1")
    first = path.read_bytes()
    journal.record_attempt("plan-1", "tinker://r/weights/0", 1, datetime.now(UTC))
    journal.record_outcome("plan-1", "tinker://r/weights/0", "failed", 403, "no\nline break")
    journal.record_plan("plan-2", "http://server", "publish", [])
    content = path.read_bytes()
    assert content.startswith(first)
    assert content.count(b"\n") == 3
    assert all(json.loads(line)["at"] for line in content.splitlines())


@given(cut=st.integers(1, 400))
@settings(max_examples=30)
def test_a_torn_last_line_costs_that_line_only(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """After a kill within a line, all earlier lines are read, and later records are intact."""
    journal = start(tmp_path_factory.mktemp("torn"))
    path = journal.find_path("plan-1")
    whole = path.stat().st_size
    journal.record_outcome("plan-1", "tinker://r/weights/0", "done")
    journal.record_outcome("plan-1", "tinker://r/weights/1", "failed", 500, "x" * 300)
    content = path.read_bytes()
    path.write_bytes(content[: max(whole, len(content) - cut)])
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
        "    for n in range(50): journal.record_outcome('plan-1', f'{sys.argv[2]}-{t}-{n}', 'failed', 1, 'x' * 5000)\n"
        "threads = [threading.Thread(target=write, args=(t,)) for t in range(3)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
    )
    journal = start(tmp_path)
    command = [sys.executable, "-c", script, str(journal.folder.parent)]
    with (
        subprocess.Popen([*command, "one"], cwd=CHECKOUT) as one,
        subprocess.Popen([*command, "two"], cwd=CHECKOUT) as two,
    ):
        assert (one.wait(60), two.wait(60)) == (0, 0)
    _, *lines = [json.loads(line) for line in journal.find_path("plan-1").read_bytes().splitlines() if line]
    assert {line["tinker_path"] for line in lines} == {
        f"{process}-{thread}-{number}" for process in ("one", "two") for thread in range(3) for number in range(50)
    }


@given(
    st.lists(
        st.one_of(st.text(max_size=60), st.sampled_from(["{}", "[]", "null", '{"event":"send"}', '{"event":"plan"}'])),
        max_size=8,
    )
)
@settings(max_examples=18)
def test_foreign_lines_are_passed_over(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """Lines that are not records, or of an unknown plan, do not change the known plans."""
    journal = start(tmp_path_factory.mktemp("foreign"))
    with journal.find_path("plan-1").open("ab") as file:
        file.write("\n".join(lines).encode("utf-8", "replace"))
    journal.record_outcome("plan-1", "tinker://r/weights/1", "done")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.JournalWarning)
        (record,) = journal.read_plans()
    assert record.rows["tinker://r/weights/1"].outcome == "done"


AT, PATH = '"at":"2026-11-20T09:00:00Z"', "tinker://r/weights/0"
ODD_LINES = {
    "no object": "[1]",
    "no time": f'{{"event":"send","tinker_path":"{PATH}"}}',
    "odd time": f'{{"at":"yesterday","event":"send","tinker_path":"{PATH}"}}',
    "no zone": f'{{"at":"2026-11-20T09:00:00","event":"send","tinker_path":"{PATH}"}}',
    "no path": f'{{{AT},"event":"send","attempt":1}}',
    "odd attempt": f'{{{AT},"event":"send","tinker_path":"{PATH}","attempt":"two"}}',
    "odd outcome": f'{{{AT},"event":"outcome","tinker_path":"{PATH}","outcome":"postponed"}}',
    "new event": f'{{{AT},"event":"pause"}}',
    "unknown row": f'{{{AT},"event":"send","tinker_path":"tinker://other/weights/0"}}',
    "a second plan": f'{{{AT},"event":"plan","plan":"p","account":"a","base_url":"u","action":"delete","rows":[]}}',
    "no JSON": "<<<<<<<",
}


@pytest.mark.parametrize("line", ODD_LINES.values(), ids=ODD_LINES)
def test_a_line_of_another_shape_is_skipped_with_one_warning(tmp_path: Path, line: str) -> None:
    """A malformed line is skipped with one warning and changes no row."""
    journal = start(tmp_path)
    with journal.find_path("plan-1").open("a") as file:
        file.write(f"{line}\n{line}\n")
    with pytest.warns(errors.JournalWarning, match=r"in 2 places, .*skipped: line 2 of") as caught:
        (record,) = journal.read_plans()
    assert len(caught) == 1
    assert [row.state for row in record.rows.values()] == ["planned"] * 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"tinker_path":"tinker://r/weights/1",', ""),
        ("tinker://r/weights/1", "weights/1"),
        ('weights/1","before":{"public":false', 'weights/1","before":{"public":"perhaps"'),
        (
            'weights/1","before":{"public":false,"expires_at":null',
            'weights/1","before":{"public":false,"expires_at":"9"',
        ),
        ('weights/1","before":{', 'weights/1","earlier":{'),
    ],
)
def test_a_row_of_another_shape_costs_that_row_only(tmp_path: Path, old: str, new: str) -> None:
    """A malformed row of a plan is skipped with a warning; the other rows are kept."""
    journal = start(tmp_path)
    path = journal.find_path("plan-1")
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))
    with pytest.warns(errors.JournalWarning, match="a row of the plan plan-1"):
        (record,) = journal.read_plans()
    assert list(record.rows) == [PATH, "tinker://r/weights/2"]


def test_a_run_reads_no_other_plan(server: DemoServer, client: tkf.Client) -> None:
    """A run writes its own file, whatever the others contain; reading them warns about malformed ones and continues."""
    folder = Journal(client.account).folder
    folder.mkdir(parents=True)
    (folder / "20200101T000000000000_other.jsonl").write_text("no journal\n")
    private = client.checkpoints().query("not public")
    plan = private.head(2).tinker.publish()
    assert set(plan.run(confirm=2)["outcome"]) == {"done"}
    for call in (lambda: journal(client=client), lambda: undo(client=client)):
        with pytest.warns(errors.JournalWarning, match="other"):
            assert len(call()) == 2


def test_the_oldest_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of files or bytes the oldest are deleted, but none of the last 30 days."""
    journal = start(tmp_path)
    for day in range(1, 6):
        (journal.folder / f"202001{day:02}T000000000000_old-{day}.jsonl").write_text("x" * 100)
        (journal.folder / f"old-{day}.lock").touch()
    monkeypatch.setattr(journal_module, "MOST_PLANS", 4)
    journal.record_plan("plan-2", "http://server", "delete", [])
    assert sorted(path.name.partition("_")[2] or path.name for path in journal.folder.iterdir()) == sorted(
        ["plan-1.jsonl", "plan-2.jsonl", *(f"old-{n}.jsonl" for n in (4, 5)), *(f"old-{n}.lock" for n in (4, 5))]
    )
    monkeypatch.setattr(journal_module, "MOST_BYTES", 1)
    journal.record_plan("plan-3", "http://server", "delete", [])
    assert len(list(journal.folder.iterdir())) == 3


def test_a_plan_is_run_by_one_process_at_a_time(server: DemoServer, client: tkf.Client) -> None:
    """While one process runs a plan, another one raises and sends nothing; a killed process holds no lock."""
    plan = client.checkpoints().query("not public").head(2).tinker.publish()
    script = (
        "import sys, time; from pathlib import Path; from tinker_frames.plans.journal import Journal\n"
        "with Journal(sys.argv[1], Path(sys.argv[2])).lock(sys.argv[3]):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    folder = Journal(client.account).folder
    command = [sys.executable, "-c", script, client.account, str(folder.parent), plan.id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT.parent) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(errors.InvalidRequestError, match=f"{plan.id} is running in another"):
            plan.run(confirm=2)
        other.kill()
    assert server.requests.count("publish_checkpoint") == 0
    assert set(plan.run(confirm=2)["outcome"]) == {"done"}


def test_a_note_is_there_before_its_request(server: DemoServer, client: tkf.Client) -> None:
    """When the server receives a write, the journal already records it as sent, and the outcomes of earlier ones."""
    plan = client.checkpoints().query("not public").head(6).tinker.publish()
    found: list[tuple[int, int]] = []  # rows sent and rows ended

    def look() -> None:
        rows = Journal(client.account).read_plans()[-1].rows.values()
        found.append((sum(row.sent_at is not None for row in rows), sum(row.state == "ended" for row in rows)))

    server.faults.bursts = [Watch("publish_checkpoint", look=look)]
    plan.run(confirm=True, max_workers=1)
    assert found == [(number + 1, number) for number in range(6)]


@pytest.mark.parametrize("spoil", ["file in the way", "no folder"])
def test_without_a_journal_nothing_is_sent(server: DemoServer, client: tkf.Client, spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """If the journal cannot be written, run() raises with its path and a hint, and nothing is sent."""
    plan = client.checkpoints().query("not public").head(3).tinker.publish()
    place = tmp_path / "state"
    if spoil == "no folder":
        place.write_text("a file where a folder should be")
    else:
        (place / "tinker-frames" / "journal").mkdir(parents=True)
        (place / "tinker-frames" / "journal" / client.account).write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_STATE_HOME", str(place))
    with pytest.raises(errors.TinkerError, match=r"journal.*cannot be (written|read)"):
        plan.run(confirm=True)
    assert server.requests.count("publish_checkpoint") == 0


def test_a_journal_that_stops_taking_notes_stops_the_plan(server: DemoServer, client: tkf.Client) -> None:
    """If the journal fails during a run, nothing further is sent, and all that was sent is recorded."""
    plan = client.checkpoints().query("not public").head(40).tinker.publish()
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
        time.sleep(0.002)
    server.faults.write_latency = 0.5  # of what is sent until the journal fails
    path = Journal(client.account).find_path(plan.id)
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
    """Neither the key nor the query of a URL in the server's errors is written."""
    with DemoServer(runs=4, key="tml-very-secret-key-0123456789") as server:
        client = client_of(server)
        plan = client.checkpoints().query("not public").head(3).tinker.publish()
        quoted = f"no {server.key} at https://storage.example/x?X-Sig=SIGNATURE"
        server.faults.bursts = [Burst("publish_checkpoint", 403, times=None, detail=quoted)]
        outcomes = plan.run(confirm=True)
        assert set(outcomes["outcome"]) == {"failed"}
        plan.frame.tinker.archive_urls(client=client)
        text = Journal(client.account).find_path(plan.id).read_text()
        for secret in (server.key, "SIGNATURE"):
            assert secret not in text
            assert not outcomes["error"].str.contains(secret, regex=False).any()
