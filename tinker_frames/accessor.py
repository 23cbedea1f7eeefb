"""The accessor `df.tinker`: actions and other calls on frames with Tinker rows, from a client, a file, or made by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .plans.actions import ACTIONS, Action, Parameter

if TYPE_CHECKING:
    import pandas as pd

    from .client import Client
    from .errors import TinkerError
    from .plans.plan import Plan
    from .policies import Rule
    from .schema.durations import Duration
    from .views.widget import View


def tinker(frame: pd.DataFrame) -> TinkerAccessor:
    """Return `frame.tinker` with its type, which pandas does not give to registered accessors.

    Type checkers take `frame.tinker` for `Any`, and some editors offer the methods of a Series; on `tkf.tinker(frame)` both know
    the methods and their parameters.

    Examples
    --------
    >>> plan = tinker(client.checkpoints()).expire(after="24h")  # doctest: +SKIP
    """
    return TinkerAccessor(frame)


class _Actions:
    """The methods that plan writes, made from `plans.actions.ACTIONS`."""

    if TYPE_CHECKING:  # their types, which no checker can derive; a test compares them

        def expire(self, after: Duration = "24h", *, client: Client | None = None) -> Plan: ...
        def set_ttl(self, ttl: Duration | None, *, client: Client | None = None) -> Plan: ...
        def publish(self, *, client: Client | None = None) -> Plan: ...
        def unpublish(self, *, client: Client | None = None) -> Plan: ...
        def retire(self, keep: Rule, after: Duration | None = None, *, client: Client | None = None) -> Plan: ...
        def delete(self, *, client: Client | None = None) -> Plan: ...


class TinkerAccessor(_Actions):
    """Calls on a frame of Tinker rows, as `df.tinker`.

    A call on a frame without the column that it needs raises `AttributeError`. Calls that write return a `Plan` and send nothing. `client=` names the
    client; else it is the one that the frame came from, else the default one. A frame of another account is refused.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def expand_metadata(
        self, column: str = "user_metadata", *, numeric: bool = False, max_keys: int | None = 500
    ) -> pd.DataFrame:
        """Return the frame with a `meta.<key>` column for every key of its metadata.

        Parameters
        ----------
        column
            The column with the metadata as JSON text.
        numeric
            Make float64 columns of those whose every value is a number; otherwise all are text, as the service keeps them.
        max_keys
            Of more keys than that, the most frequent are kept, with a warning; None keeps all.

        Raises
        ------
        AttributeError
            If the frame has no such column.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"user_metadata": ['{"loss":"1.5"}', None]})
        >>> frame.tinker.expand_metadata(numeric=True)["meta.loss"].tolist()
        [1.5, nan]
        """
        from .frames.metadata import expand_metadata

        self._require_column(column)
        return expand_metadata(self._frame, column, numeric=numeric, max_keys=max_keys)

    def _make_plan(self, action: str, client: Client | None, given: Mapping[str, Any]) -> Plan:
        """Return the plan of an action named by text, with its arguments: what the method of that name calls."""
        rows = self._require_path()
        return self._find_client(client).planner.plan(action, rows, given)

    def weights_info(self, *, client: Client | None = None, progress: bool | None = None) -> pd.DataFrame:
        """Return one row per checkpoint with `base_model, is_lora, lora_rank, train_unembed, train_mlp, train_attn, optimizer`.

        From POST /api/v1/weights_info, one request each, in parallel; also for other people's public checkpoints. `error` says
        why a row has nothing.
        """
        from .listings.weights import weights_info

        paths, client = self._collect_paths(), self._find_client(client)
        return weights_info(client.rest, paths, client.transport.settings.max_workers, progress)

    def archive_urls(self, *, client: Client | None = None, progress: bool | None = None) -> ArchiveUrls:
        """Return a mapping of tinker path to the signed URL of its archive (GET …/archive); its repr hides the URLs.

        An archive that is still being built is waited for. Whoever has such a URL can read the weights until it expires.
        An archive that is not available is missing from the mapping; `errors` says why.
        """
        from .listings.weights import archive_urls

        paths, client = self._collect_paths(), self._find_client(client)
        return ArchiveUrls(archive_urls(client.rest, paths, client.transport.settings.max_workers, progress))

    def explore(self, *, client: Client | None = None) -> View:
        """Return a view of the frame in which to filter and select rows and act on them, as `tkf.explore(frame)`."""
        from .views import explore

        return explore(self._frame, client)

    def _collect_paths(self) -> list[str]:
        return [str(path) for path in self._require_path()["tinker_path"].dropna()]

    def _require_path(self) -> pd.DataFrame:
        self._require_column("tinker_path")
        return self._frame

    def _find_client(self, client: Client | None) -> Client:
        from .functions import find_client

        return find_client(self._frame, client)

    def _require_column(self, column: str) -> None:
        if column not in self._frame.columns:
            raise AttributeError(
                f"this needs a column {column!r}, and the frame has none; keep it when you select columns"
            )

    def __repr__(self) -> str:
        names = [name for name in dir(self) if not name.startswith("_")]
        return f"<df.tinker of {len(self._frame)} rows: {', '.join(names)}>"


def _build_method(action: Action) -> Callable[..., Plan]:
    """Return the accessor's method of an action."""
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Client | None")
    signature = inspect.Signature([self, *map(_build_parameter, action.parameters), client], return_annotation="Plan")

    def method(*args: Any, **kwargs: Any) -> Plan:
        given = signature.bind(*args, **kwargs).arguments
        accessor: TinkerAccessor = given.pop("self")
        return accessor._make_plan(action.name, given.pop("client", None), given)  # noqa: SLF001  # of the same class

    method.__name__, method.__qualname__ = action.name, f"TinkerAccessor.{action.name}"
    method.__signature__ = signature  # type: ignore[attr-defined]
    method.__doc__ = _build_docstring(action)
    return method


def _build_parameter(parameter: Parameter) -> inspect.Parameter:
    kind = "Rule" if parameter.kind == "rule" else "Duration"
    default = inspect.Parameter.empty if parameter.is_required else parameter.default
    annotation = f"{kind} | None" if parameter.takes_none else kind
    return inspect.Parameter(
        parameter.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation
    )


def _build_docstring(action: Action) -> str:
    """Return the docstring of an action's method."""
    url = f"/api/v1/training_runs/{{run}}/checkpoints/{{ck}}{action.suffix and '/' + action.suffix}"
    sent = f": {action.method} {url}" if action.method else ""
    parts = [f"Plan to {action.doc[0].lower()}{action.doc[1:]}"]
    parts.append(f"Nothing is sent until `plan.run()`, which sends one request per checkpoint{sent}.")
    documented = [(parameter.name, parameter.doc) for parameter in action.parameters]
    documented.append(("client", "The account; else the one that the frame came from, else the default one."))
    listed = "\n".join(f"{name}\n    {doc}" for name, doc in documented)
    parts.append(f"Parameters\n----------\n{listed}")
    parts.append("Returns\n-------\nPlan\n    One row per checkpoint of the frame, with a verdict on each.")
    parts.append(
        "Raises\n------\nInvalidRequestError\n    For an invalid argument, or a frame of another account.\n"
        "AttributeError\n    If the frame has no column `tinker_path`."
    )
    example = ", ".join(parameter.example for parameter in action.parameters if parameter.is_required)
    parts.append(
        f"Examples\n--------\n>>> plan = client.checkpoints().tinker.{action.name}({example})  # doctest: +SKIP"
    )
    return "\n\n".join(parts)


for _action in ACTIONS.values():
    if _action.is_offered:
        setattr(_Actions, _action.name, _build_method(_action))


class ArchiveUrls(Mapping[str, str]):
    """Tinker path to signed URL; shows how many there are, never the URLs.

    Attributes
    ----------
    errors : dict
        Tinker path to the error of those whose archive could not be had; they are not among the keys.
    """

    def __init__(self, answers: dict[str, str | TinkerError]) -> None:
        self._urls = {path: answer for path, answer in answers.items() if isinstance(answer, str)}
        self.errors = {path: answer for path, answer in answers.items() if not isinstance(answer, str)}

    def __getitem__(self, tinker_path: str) -> str:
        if tinker_path in self.errors:
            raise KeyError(f"no archive of {tinker_path}: {self.errors[tinker_path]}")
        return self._urls[tinker_path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._urls)

    def __len__(self) -> int:
        return len(self._urls)

    def __repr__(self) -> str:
        failed = f", {len(self.errors)} could not be had (see .errors)" if self.errors else ""
        return (
            f"<ArchiveUrls of {len(self)} checkpoints{failed}; the URLs are secrets, take one with urls[tinker_path]>"
        )
