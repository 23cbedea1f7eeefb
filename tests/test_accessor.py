"""`df.tinker`: there whichever of pandas and tinker_frames came first, and made of nothing but the frame's columns."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pandas as pd
import pytest

import tinker_frames  # noqa: F401  # registers the accessor
from tinker_frames.schema.columns import text_dtype


def metadata(*cells: str | None) -> pd.DataFrame:
    """Return a frame with metadata."""
    return pd.DataFrame(
        {"tinker_path": [str(n) for n in range(len(cells))], "user_metadata": pd.array(cells, dtype=text_dtype())}
    )


USE = "df = pd.DataFrame({'user_metadata': ['{\"a\":\"1\"}']}); assert df.tinker.expand_metadata()['meta.a'][0] == '1'"
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
    """However and whenever pandas is imported, also after a failed try, every frame has `.tinker`; nobody is made to import pandas."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ORDERS[order]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_metadata_is_expanded_and_the_rest_stays() -> None:
    """Each key is a column beside the frame's own, which stay as they are, in number, order and index."""
    frame = metadata('{"loss":"1.5","team":"é"}', None, '{"loss":"2"}')
    frame.index = pd.Index([7, 7, 9])
    frame.attrs["tinker"] = {"rows": 3}
    found = frame.tinker.expand_metadata()
    assert list(found.columns) == ["tinker_path", "user_metadata", "meta.loss", "meta.team"]
    assert list(found.index) == [7, 7, 9]
    assert found["meta.loss"].fillna("").tolist() == ["1.5", "", "2"]
    assert found["meta.team"].dtype == text_dtype()
    assert found.attrs == frame.attrs
    assert "meta.loss" not in frame


def test_expanding_twice_is_expanding_once() -> None:
    """A second time replaces the columns instead of adding them again."""
    frame = metadata('{"a":"1"}')
    once = frame.tinker.expand_metadata()
    pd.testing.assert_frame_equal(once.tinker.expand_metadata(), once)


def test_numeric_makes_numbers_of_columns_that_are_nothing_else() -> None:
    """With `numeric=True` a column of numbers is float64, NaN where a row has none; one word keeps it text."""
    frame = metadata('{"loss":"1e-3","mixed":"1","n":3}', '{"mixed":"x"}')
    found = frame.tinker.expand_metadata(numeric=True)
    assert (found["meta.loss"].dtype, found["meta.n"].dtype) == ("float64", "float64")
    assert found["meta.loss"][0] == 0.001
    assert pd.isna(found["meta.loss"][1])
    assert found["meta.mixed"].tolist() == ["1", "x"]
    assert frame.tinker.expand_metadata()["meta.loss"][0] == "1e-3"


@pytest.mark.parametrize(
    "cell",
    ["", "no json", "[1]", "5", "null", '"text"', "{", '{"a":' + "[" * 100_000, '{"a":' + "9" * 5000 + "}", '{"\\ud800":"1"}'],
    ids=lambda cell: cell[:12],
)  # fmt: skip
def test_what_is_no_metadata_adds_nothing_and_harms_nothing(cell: str) -> None:
    """Text that is no JSON object leaves its row without values; the other rows have theirs."""
    found = metadata(cell, '{"a":"1"}').tinker.expand_metadata()
    assert found["meta.a"].isna().tolist() == [True, False]


def test_hostile_keys_and_values_become_columns_and_text() -> None:
    """Keys are whatever users wrote, and values that are no text become JSON text."""
    found = metadata(
        '{"":"e","a.b":"dot","=x":"f","tinker_path":"p","n":1,"l":[1,"é"],"o":{"k":null},"t":true,"s":"\\ud800"}'
    )
    shown = found.tinker.expand_metadata().iloc[0]
    expected = {
        "": "e", "a.b": "dot", "=x": "f", "tinker_path": "p", "n": "1", "l": '[1,"é"]', "o": '{"k":null}', "t": "true", "s": "?",
    }  # fmt: skip
    assert {name.removeprefix("meta."): shown[name] for name in shown.index if name.startswith("meta.")} == expected
    assert shown["tinker_path"] == "0"


def test_a_missing_column_is_named() -> None:
    """A frame without the column is an AttributeError that names it; another column can be named."""
    with pytest.raises(AttributeError, match="'user_metadata'"):
        pd.DataFrame({"a": [1]}).tinker.expand_metadata()
    with pytest.raises(AttributeError, match="'other'"):
        metadata("{}").tinker.expand_metadata("other")
    renamed = metadata('{"a":"1"}').rename(columns={"user_metadata": "session_user_metadata"})
    assert renamed.tinker.expand_metadata("session_user_metadata")["meta.a"].tolist() == ["1"]


def test_it_survives_what_people_do_with_frames() -> None:
    """Filtered, sorted, merged, pickled: the accessor needs nothing but the columns."""
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
    """Looking at `df.tinker` shows its calls."""
    assert "expand_metadata" in repr(metadata("{}").tinker)
