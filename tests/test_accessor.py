"""`df.tinker`: registered in any order of imports, based on the frame's columns, bound to the client of the frame."""

from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinker_frames as tkf
from tinker_frames import accessor, errors
from tinker_frames import policies as P  # noqa: N812
from tinker_frames.demo import Burst, DemoServer
from tinker_frames.functions import set_default
from tinker_frames.plans.actions import ACTIONS
from tinker_frames.schema.columns import text_dtype

Make = Callable[..., tkf.Client]
CALLS = {
    "publish": lambda frame, **options: frame.tinker.publish(**options),
    "unpublish": lambda frame, **options: frame.tinker.unpublish(**options),
    "set_ttl": lambda frame, **options: frame.tinker.set_ttl("30d", **options),
    "extend": lambda frame, **options: frame.tinker.extend("30d", **options),
    "delete": lambda frame, **options: frame.tinker.delete(**options),
    "expire": lambda frame, **options: frame.tinker.expire(**options),
    "retire": lambda frame, **options: frame.tinker.retire(P.keep_named("zzz"), **options),
    "weights_info": lambda frame, **options: frame.tinker.weights_info(**options),
    "archive_urls": lambda frame, **options: frame.tinker.archive_urls(**options),
}


def metadata(*cells: str | None) -> pd.DataFrame:
    """Return a frame with metadata."""
    return pd.DataFrame(
        {"tinker_path": [str(n) for n in range(len(cells))], "user_metadata": pd.array(cells, dtype=text_dtype())}
    )


USE = "df = pd.DataFrame({'user_metadata': ['{\"a\":\"1\"}']}); assert df.tinker.expand_metadata()['meta.a'][0] == 1"
ORDERS = {
    "pandas first": f"import pandas as pd, tinker_frames; {USE}",
    "pandas last": f"import tinker_frames, sys; assert 'pandas' not in sys.modules; import pandas as pd; {USE}",
    "a part of pandas last": f"import tinker_frames; from pandas import DataFrame; import pandas as pd; {USE}",
    "pandas in a thread": (
        "import tinker_frames, threading; t = threading.Thread(target=__import__, args=('pandas',)); t.start(); t.join(); "
        f"import pandas as pd; {USE}"
    ),
    "pandas reloaded by name": f"import tinker_frames, importlib; pd = importlib.import_module('pandas'); {USE}; importlib.reload(pd.core.api)",
    "looked for before": f"import tinker_frames, importlib.util; assert importlib.util.find_spec('pandas'); import pandas as pd; {USE}",
    "failing at first": (
        "import sys, tinker_frames\n"
        "sys.modules['numpy'] = None\n"
        "try:\n    import pandas\nexcept ImportError:\n    pass\nelse:\n    raise SystemExit('pandas came without numpy')\n"
        "del sys.modules['numpy']\n"
        f"import pandas as pd; {USE}"
    ),
    "never": "import tinker_frames, sys; assert 'pandas' not in sys.modules",
    "missing": (
        "import sys, tinker_frames\nsys.modules['pandas'] = None\n"
        "try:\n    import pandas\nexcept ImportError:\n    print('fine')"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_the_accessor_is_there_in_any_order_of_imports(order: str) -> None:
    """Every frame has `.tinker` however and whenever pandas is imported, and pandas is not imported eagerly."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ORDERS[order]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_metadata_is_expanded_and_the_rest_stays() -> None:
    """Each key is a new column; the frame's own columns, order and index are unchanged."""
    frame = metadata('{"loss":"1.5","team":"é"}', None, '{"loss":"2"}')
    frame.index = pd.Index([7, 7, 9])
    frame.attrs["tinker"] = {"rows": 3}
    found = frame.tinker.expand_metadata()
    assert list(found.columns) == ["tinker_path", "user_metadata", "meta.loss", "meta.team"]
    assert list(found.index) == [7, 7, 9]
    assert found["meta.loss"].fillna(0).tolist() == [1.5, 0, 2]
    assert found["meta.team"].dtype == text_dtype()
    assert found.attrs == frame.attrs
    assert "meta.loss" not in frame


def test_expanding_twice_is_expanding_once() -> None:
    """Expanding again replaces the columns instead of adding them twice."""
    frame = metadata('{"a":"1"}')
    once = frame.tinker.expand_metadata()
    pd.testing.assert_frame_equal(once.tinker.expand_metadata(), once)


def test_without_numeric_metadata_is_text() -> None:
    """With `numeric=False` every column is text, as the service stores it."""
    frame = metadata('{"loss":"1e-3","n":3}', '{"loss":"2"}')
    assert frame.tinker.expand_metadata(numeric=False)["meta.loss"].tolist() == ["1e-3", "2"]
    assert frame.tinker.expand_metadata(numeric=False)["meta.n"][0] == "3"
    assert frame.tinker.expand_metadata()["meta.loss"].tolist() == [0.001, 2]


@pytest.mark.parametrize(
    "cell",
    ["", "no json", "[1]", "5", "null", '"text"', "{", '{"a":' + "[" * 100_000, '{"a":' + "9" * 5000 + "}", '{"\\ud800":"1"}'],
    ids=lambda cell: cell[:12],
)  # fmt: skip
def test_what_is_no_metadata_adds_nothing_and_harms_nothing(cell: str) -> None:
    """Text that is not a JSON object leaves its row empty and the others unaffected."""
    found = metadata(cell, '{"a":"1"}').tinker.expand_metadata()
    assert found["meta.a"].isna().tolist() == [True, False]


def test_hostile_keys_and_values_become_columns_and_text() -> None:
    """Keys may be any text, and non-text values become JSON text."""
    found = metadata(
        '{"":"e","a.b":"dot","=x":"f","tinker_path":"p","n":1,"l":[1,"é"],"o":{"k":null},"t":true,"s":"\\ud800"}'
    )
    shown = found.tinker.expand_metadata(numeric=False).iloc[0]
    expected = {
        "": "e", "a.b": "dot", "=x": "f", "tinker_path": "p", "n": "1", "l": '[1,"é"]', "o": '{"k":null}', "t": "true", "s": "\ufffdd800",
    }  # fmt: skip
    assert {name.removeprefix("meta."): shown[name] for name in shown.index if name.startswith("meta.")} == expected
    assert shown["tinker_path"] == "0"


def test_a_missing_column_is_named() -> None:
    """A missing column is an AttributeError that names it; another column can be chosen."""
    with pytest.raises(AttributeError, match="'user_metadata'"):
        pd.DataFrame({"a": [1]}).tinker.expand_metadata()
    with pytest.raises(AttributeError, match="'other'"):
        metadata("{}").tinker.expand_metadata("other")
    renamed = metadata('{"a":"1"}').rename(columns={"user_metadata": "session_user_metadata"})
    assert renamed.tinker.expand_metadata("session_user_metadata")["meta.session.a"].tolist() == [1]


def test_it_survives_what_people_do_with_frames() -> None:
    """The accessor works on filtered, sorted, merged and pickled frames, since it only needs the columns."""
    frame = metadata('{"a":"1"}', '{"a":"2"}')
    for other in (
        frame[frame["tinker_path"] == "1"],
        frame.sort_values("tinker_path", ascending=False),
        frame.merge(pd.DataFrame({"tinker_path": ["1"], "mine": [5]})),
        pickle.loads(pickle.dumps(frame)),
        pd.concat([frame, frame]),
    ):
        found = other.tinker.expand_metadata()
        assert len(found) == len(other)
        assert found["meta.a"].notna().all()


def test_its_repr_says_what_it_can_do() -> None:
    """The repr of `df.tinker` lists its methods."""
    assert "expand_metadata" in repr(metadata("{}").tinker)


# ── plans ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def paths_of(found: Any) -> list[str]:
    """Return the paths of a result: a plan's, a frame's, or a mapping's."""
    rows = getattr(found, "rows", found)
    return list(rows["tinker_path"]) if isinstance(rows, pd.DataFrame) else list(rows)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_frame_without_paths_is_refused_by_name(call: Callable[..., object]) -> None:
    """Without the column every call is an AttributeError that names it, and no client is asked."""
    with pytest.raises(AttributeError, match="'tinker_path'"):
        call(pd.DataFrame({"path": ["x"]}))


def test_paths_in_the_index_are_paths(client: tkf.Client) -> None:
    """Paths in the index, alone or with other levels, identify the same rows."""
    frame = client.checkpoints().head(6)
    for labels in ("tinker_path", ["training_run_id", "tinker_path"]):
        plan = frame.set_index(labels).tinker.delete()
        assert list(plan.rows["tinker_path"]) == list(frame["tinker_path"])
    assert len(frame.set_index("tinker_path").tinker.retire(keep=tkf.policies.keep_last(0))) == 6


@pytest.mark.few(3)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_finds_the_client_that_the_frame_came_from(client_of: Make, call: Callable[..., object]) -> None:
    """With two accounts and another default client, a frame, even filtered, uses its own account; a client of another account is refused."""
    with DemoServer(runs=6, keys={"tml-one": 1, "tml-two": 2}) as server:
        one, two = client_of(server, api_key="tml-one"), client_of(server, api_key="tml-two")
        frames = {client: client.checkpoints().query("checkpoint_type == 'training'").head(2) for client in (one, two)}
        set_default(two)
        for client, frame in frames.items():
            found = call(frame)
            assert set(paths_of(found)) == set(frame["tinker_path"])
            if hasattr(found, "frame"):
                assert "refused" not in set(found.frame["verdict"])
                assert found.source.account == client.account
        with pytest.raises(errors.InvalidRequestError, match=f"{one.account}.*{two.account}"):
            call(frames[one], client=two)


def test_a_second_client_that_was_closed_leaves_the_first_one(server: DemoServer, client_of: Make) -> None:
    """Frames of an account go on with an open client of it, though another one that listed the account later was closed."""
    first = client_of(server)
    frame = first.checkpoints()
    with client_of(server) as second:
        second.checkpoints()
    assert len(frame.head(1).tinker.publish()) == 1


@pytest.mark.parametrize("kind", ["csv", "parquet", "by hand"])
def test_frames_without_an_account_use_the_default_or_the_named_client(
    server: DemoServer, client: tkf.Client, tmp_path: Path, kind: str
) -> None:
    """A frame from a file or made by hand works with `client=` and with the default client."""
    frame = client.checkpoints().query("not public").head(3)
    if kind == "csv":
        frame.to_csv(tmp_path / "x.csv", index=False)
        back = pd.read_csv(tmp_path / "x.csv")
    elif kind == "parquet":
        frame.to_parquet(tmp_path / "x.parquet")
        back = pd.read_parquet(tmp_path / "x.parquet")
        back.attrs.clear()
    else:
        back = pd.DataFrame({"tinker_path": frame["tinker_path"].tolist()}, index=[7, 7, 7])
    assert len(back.tinker.publish(client=client)) == 3
    set_default(client)
    assert set(back.tinker.publish().run(confirm=3)["outcome"]) == {"done"}
    assert all(server.state.find(path).public for path in frame["tinker_path"])


def test_a_parquet_file_that_kept_its_account_is_guarded_by_it(client_of: Make, tmp_path: Path) -> None:
    """Parquet keeps the attributes, so a frame of one account is refused by another account after reading it back."""
    with DemoServer(runs=4, keys={"tml-one": 1, "tml-two": 2}) as server:
        one, two = client_of(server, api_key="tml-one"), client_of(server, api_key="tml-two")
        one.checkpoints().head(2).to_parquet(tmp_path / "x.parquet")
        back = pd.read_parquet(tmp_path / "x.parquet")
        assert len(back.tinker.delete()) == 2
        with pytest.raises(errors.InvalidRequestError, match="account"):
            back.tinker.delete(client=two)


def test_the_outcome_of_a_plan_is_a_frame_to_go_on_with(server: DemoServer, client: tkf.Client) -> None:
    """Outcomes have seven columns with fixed dtypes, name their plan, and can be used for another plan."""
    frame = client.checkpoints().query("not public").head(4)
    server.faults.bursts = [Burst("publish_checkpoint", 403, times=1)]
    plan = frame.tinker.publish()
    outcomes = plan.run(confirm=True)
    assert list(outcomes.columns) == ["outcome", "tinker_path", "error", "action", "status", "attempts", "seconds"]
    assert list(outcomes["outcome"].cat.categories) == ["done", "unchanged", "skipped", "failed", "unknown"]
    assert str(outcomes["status"].dtype) == str(outcomes["attempts"].dtype) == "Int64"
    assert outcomes.attrs["tinker"]["plan"] == plan.id
    again = outcomes.query("outcome == 'failed'").tinker.publish(client=client)
    assert again.run(confirm=True)["outcome"].tolist() == ["done"]
    empty = frame.head(0).tinker.publish().run()
    assert empty.dtypes.equals(outcomes.dtypes)


@pytest.mark.parametrize("ttl", ["30m", 59, "11000d", "soon", -1, 0, float("nan")])
def test_a_ttl_out_of_range_is_refused_when_the_plan_is_made(
    server: DemoServer, client: tkf.Client, ttl: object
) -> None:
    """A TTL below an hour, above ten years, or invalid raises before anything is planned."""
    frame = client.checkpoints().head(1)
    with pytest.raises(errors.InvalidRequestError):
        frame.tinker.set_ttl(ttl)
    with pytest.raises(errors.InvalidRequestError):
        frame.tinker.expire(after=ttl)


# ── weights and archives ─────────────────────────────────────────────────────────────────────────────────────────────


def test_weights_info_is_one_typed_row_a_checkpoint(server: DemoServer, client: tkf.Client) -> None:
    """One row per checkpoint, in order; a failed one has its error and does not affect the others."""
    frame = client.checkpoints().head(4)
    gone = frame["tinker_path"].iloc[1]
    server.state.delete(server.state.find(gone))
    info = frame.tinker.weights_info()
    assert info["tinker_path"].tolist() == frame["tinker_path"].tolist()
    assert info["error"].isna().tolist() == [True, False, True, True]
    assert info.loc[1].drop(["tinker_path", "error"]).isna().all()
    for row in info.drop(1).itertuples():
        run = server.state.find(row.tinker_path).run
        assert (row.base_model, row.is_lora) == (run.base_model, run.is_lora)
        assert (None if pd.isna(row.lora_rank) else row.lora_rank) == run.lora_rank
        assert sorted((row.train_unembed, row.train_mlp, row.train_attn)) == sorted(run.trains)
    assert info.dtypes.equals(frame.head(0).tinker.weights_info().dtypes)
    assert str(info["lora_rank"].dtype) == "Int64"
    assert str(info["is_lora"].dtype) == "boolean"


def test_archive_urls_hide_themselves_and_fail_by_row(server: DemoServer, client: tkf.Client) -> None:
    """A mapping of paths to signed URLs whose repr hides the URLs; a failed row is not a key, and looking it up raises its error."""
    frame = client.checkpoints().head(3)
    gone = frame["tinker_path"].iloc[0]
    server.state.delete(server.state.find(gone))
    urls = pd.concat([frame, frame]).tinker.archive_urls(client=client)
    assert list(urls) == frame["tinker_path"].tolist()[1:]
    assert len(urls) == 2
    for path, url in urls.items():
        assert url.startswith(("http://", "https://"))
        assert "?" in url
        assert path in urls
    assert gone not in urls
    assert list(urls.errors) == [gone]
    assert isinstance(urls.errors[gone], errors.NotFoundError)
    assert urls.get(gone) is None
    with pytest.raises(KeyError, match="not found"):
        urls[gone]
    with pytest.raises(KeyError):
        urls["tinker://no/such/path"]
    for text in (repr(urls), str(urls), f"{urls}", repr(urls.errors)):
        assert not any(url in text for url in urls.values())
    assert "1 not available" in repr(urls)
    assert server.requests.count("get_checkpoint_archive_url") == 3


def test_the_types_of_the_actions_are_those_of_their_declaration() -> None:
    """The signatures seen by type checkers have the names, defaults and annotations of `ACTIONS`."""
    tree = ast.parse(Path(accessor.__file__).read_text())
    (declared,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "_Actions"]
    typed = {
        node.name: f"({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"
        for node in ast.walk(declared)
        if isinstance(node, ast.FunctionDef) and node.returns is not None
    }
    made = {
        name: str(inspect.signature(getattr(tkf.TinkerAccessor, name))).replace("'", "")
        for name, action in ACTIONS.items()
        if action.is_offered
    }
    assert {name: text.replace("'", "").replace("=", " = ").replace("  ", " ") for name, text in typed.items()} == {
        name: text.replace("=", " = ").replace("  ", " ") for name, text in made.items()
    }


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.is_offered])
def test_every_action_has_a_docstring_from_its_declaration(name: str) -> None:
    """`help(df.tinker.delete)` has a summary, the endpoint, parameters, errors and an example."""
    text = getattr(tkf.TinkerAccessor, name).__doc__
    assert ACTIONS[name].doc[1:] in text
    assert ACTIONS[name].method in text
    assert all(f"\n{parameter.name}\n    {parameter.doc}" in text for parameter in ACTIONS[name].parameters)
    assert all(f"\n{part}\n---" in text for part in ("Returns", "Raises", "Examples"))


def test_a_frame_with_two_columns_of_paths_is_refused(shared_client: tkf.Client) -> None:
    """Which of two columns of one name holds the paths is not known, so no plan is made."""
    paths = pd.DataFrame({"tinker_path": ["tinker://r/weights/1"]})
    with pytest.raises(errors.InvalidRequestError, match="2 columns 'tinker_path'"):
        tkf.tinker(pd.concat([paths, paths], axis=1)).delete(client=shared_client)


@pytest.mark.parametrize(
    ("key", "way"), [("training_run_id", r"tkf\.checkpoints\(frame"), ("session_id", r"ckpts\[.session_id.\]\.isin")]
)
def test_rows_without_a_path_say_how_to_come_to_checkpoints(key: str, way: str) -> None:
    """A plan of runs or sessions is an error that names how to list their checkpoints."""
    with pytest.raises(AttributeError, match=way):
        pd.DataFrame({key: ["5b1f"]}).tinker.expire()


@pytest.mark.parametrize(
    ("row", "page"),
    [
        ({"tinker_path": "tinker://5b1f:train:0/weights/00 1"}, "/checkpoints/5b1f%3Atrain%3A0/weights%2F00%201"),
        ({"tinker_path": None, "training_run_id": "5b1f:train:0"}, "/training_runs/5b1f%3Atrain%3A0"),
        ({"tinker_path": "odd", "session_id": "a/b"}, "/sessions/a%2Fb"),
        ({"session_id": None}, None),
    ],
)
def test_each_row_has_its_page_of_the_console(row: dict[str, str | None], page: str | None) -> None:
    """A row's page is that of its checkpoint, else of its run, else of its session, with every part percent-encoded."""
    found = pd.DataFrame([row], index=[7]).tinker.console_url()
    assert (found.dtype, list(found.index)) == (text_dtype(), [7])
    assert found[7] == f"https://tinker.thinkingmachines.ai{page}" if page else found.isna().all()
    with pytest.raises(AttributeError, match="tinker_path"):
        pd.DataFrame({"a": [1]}).tinker.console_url()
