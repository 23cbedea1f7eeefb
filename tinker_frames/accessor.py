"""The accessor `df.tinker`: actions and other calls on frames with Tinker rows, from a client, a file, or made by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .errors import InvalidRequestError
from .plans.actions import ACTIONS, Action
from .plans.signatures import build_docstring, build_parameter
from .schema.arguments import bind_arguments, check_argument, check_methods
from .schema.docstrings import document
from .schema.durations import parse_duration
from .schema.identity import restore_keys

if TYPE_CHECKING:
    import pandas as pd

    from .client import Client
    from .listings.weights import ArchiveUrls
    from .plans.plan import Plan
    from .policies import Rule
    from .schema.durations import Duration
    from .training_logs.folders import Location
    from .training_logs.reader import Logs
    from .views.widget import View


PARAMETERS = {
    "client": "The client of the account; None for the one that the frame came from, else the default client.",
    "progress": "Show a progress bar. With None, one is shown in a terminal or notebook if it takes over a second.",
}
PATH_ERRORS = {
    "AttributeError": "If the frame has no column `tinker_path`.",
    "InvalidRequestError": "If the frame is of another account.",
}


def tinker(frame: pd.DataFrame) -> TinkerAccessor:
    """Return `frame.tinker` with its type, which pandas does not give to registered accessors.

    Type checkers take `frame.tinker` for `Any`, and some editors offer the methods of a Series; on `tkf.tinker(frame)` both know
    the methods and their parameters.

    Parameters
    ----------
    frame
        Any frame; each method says which column it needs.

    Returns
    -------
    TinkerAccessor
        The accessor of the frame.

    Raises
    ------
    ArgumentTypeError
        If it is no DataFrame.

    Examples
    --------
    >>> plan = tinker(client.checkpoints()).expire(after="24h")
    """
    import pandas as pd

    check_argument("frame", frame, pd.DataFrame)
    return TinkerAccessor(frame)


class _Actions:
    """The methods that plan writes, made from `plans.actions.ACTIONS`."""

    if TYPE_CHECKING:  # their types, which no checker can derive; a test compares them

        def expire(self, after: Duration = "24h", *, client: Client | None = None) -> Plan: ...
        def set_ttl(self, ttl: Duration | pd.Series[Any] | None, *, client: Client | None = None) -> Plan: ...
        def extend(self, by: Duration, *, client: Client | None = None) -> Plan: ...
        def publish(self, *, client: Client | None = None) -> Plan: ...
        def unpublish(self, *, client: Client | None = None) -> Plan: ...
        def retire(self, keep: Rule, after: Duration | None = None, *, client: Client | None = None) -> Plan: ...
        def delete(self, *, client: Client | None = None) -> Plan: ...


# How to come to the checkpoints of other rows, by a column that they have.
_WAYS = {
    "training_run_id": 'list the checkpoints of runs with tkf.checkpoints(frame["training_run_id"])',
    "session_id": 'select those of sessions from ckpts = tkf.checkpoints() by ckpts["session_id"].isin(frame["session_id"])',
}


@check_methods
class TinkerAccessor(_Actions):
    """Calls on a frame of Tinker rows, as `df.tinker`.

    Calls that write return a `Plan` and send nothing. Every call but `expand_metadata`, `sum_by` and `with_metrics(frame)` needs the column `tinker_path`, or, for
    `explore` and `console_url`, any key of a table; other columns and the index do not matter.

    Raises
    ------
    AttributeError
        If the frame lacks the column that a method needs.

    Examples
    --------
    >>> client.checkpoints().query("age_days > 90").tinker.expire(after="24h")
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __str__(self) -> str:
        """Return the rows as a table that fits a terminal: the columns that matter first, sizes and ages with units."""
        from .frames.terminal import format_frame

        return format_frame(self._frame)

    def sum_by(self, by: str | Iterable[str] = "model", *, rate: float | None = None) -> pd.DataFrame:
        """Return the totals of the rows by what they have in common, the largest group first.

        Parameters
        ----------
        by
            One group or several: a column, `meta.<key>`, a short name (`run`, `session`, `name`, `model`, `type`, `status`, `owner`,
            `project`), or `day`, `week`, `month` or `year` of creation, in UTC.
        rate
            Dollars per gigabyte and month, for the column `storage_usd_month`; None for the sum of the frame's own, where that is known.

        Returns
        -------
        DataFrame
            One row per group, with a column for each of `by`, and `rows` (int64), `size_gb` (float64, 10^9 bytes; NaN if no size is
            known), `size_unknown` (int64, rows without a size) and `percent` (float64, of all known gigabytes). Sends no request.

        Raises
        ------
        InvalidRequestError
            For a group that the frame does not have, and a frame without `size_gb`.

        Examples
        --------
        >>> client.inventory().tinker.sum_by(["model", "month"])
        """
        from .frames.totals import sum_groups

        return sum_groups(self._frame, by, rate)

    def expand_metadata(
        self, column: str | None = None, *, numeric: bool = True, max_keys: int | None = 500
    ) -> pd.DataFrame:
        """Return the frame with a `meta.<key>` column for every key of its metadata.

        Parameters
        ----------
        column
            The column with the metadata as JSON text. None for all that the frame has: `user_metadata` as `meta.<key>`, and in an
            inventory `run_user_metadata` as `meta.run.<key>` and `session_user_metadata` as `meta.session.<key>`.
        numeric
            Make numbers of the columns in which at least two thirds of the values are numbers: Int64 if all of these are whole, else
            float64. Their other values ("diverged", "nan") become NA, with a warning, and are listed in
            `attrs["tinker"]["problems"]`. A column stays text if any number in it has leading zeros, or more digits than its dtype
            holds. With False, all are text, as the service stores them.
        max_keys
            Maximum number of keys of one column that become columns: the most frequent ones, with a warning if there are more; None
            for all.

        Returns
        -------
        DataFrame
            One row per row of the frame, in the same order and with the same index; the new columns are str, Int64 or float64, NA
            where a row does not have the key. Sends no request.

        Raises
        ------
        AttributeError
            If the frame has no such column.
        InvalidRequestError
            If `max_keys` is below 0.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"user_metadata": ['{"loss":"1.5"}', None]})
        >>> frame.tinker.expand_metadata()["meta.loss"].tolist()
        [1.5, nan]
        """
        from .frames.metadata import PREFIXES, expand_metadata

        if column is not None or not set(PREFIXES) & set(self._frame.columns):
            self._require_column("user_metadata" if column is None else column)
        return expand_metadata(self._frame, column, numeric=numeric, max_keys=max_keys)

    def with_metrics(
        self,
        logs: Logs | pd.DataFrame | Location | Iterable[Location],
        on: str | None = None,
        *,
        metrics: Iterable[str] | None = None,
        config: Iterable[str] = (),
    ) -> pd.DataFrame:
        """Return the frame with the metrics of training logs, at or just before the step of each checkpoint.

        A row is matched by its tinker path, that of a training state or of the sampler weights saved with it. Its metrics are
        columns named as in the log, e.g. `test/nll`, which keep rules, queries and views take as any other; one that is called as a
        column of the account is named `log.<name>`. Of several log folders that name a checkpoint, the one that goes furthest counts.

        Parameters
        ----------
        logs
            What `tkf.logs` returned, or what it takes, e.g. `"~/runs"`. Or a frame of your own, e.g. of W&B or MLflow, with one row
            for each value of `on`: all its columns are added.
        on
            The column by which a frame of your own is matched; None for the first of `tinker_path`, `training_run_id` and `session_id`
            that both have.
        metrics
            Names or patterns such as `"test/*"`; None for every metric that some row has.
        config
            Columns of `logs.runs` or `logs.checkpoints` to add, e.g. `["log_path", "learning_rate"]`; a setting that is called as a
            metric is named `config.<name>`, so that both are kept.

        Returns
        -------
        DataFrame
            One row per row of the frame, in the same order and with the same index, with a float64 column per metric, NaN where no log
            names the checkpoint; `log.step` (Int64, the step that these are of, also of a `final` checkpoint, whose own `step` is NA);
            `not_finite` (str, a JSON list of the metrics that the log has as NaN or infinite there) if there are any; and `parent_path` (str, what its run was started from),
            `is_parent` (boolean, whether a run was started from it; NA where a log says wrongly what its run was started from), and
            `wandb_link` (str) if some row's metadata has it. Rows without a log keep what they had from logs joined before, and are
            counted in `attrs["tinker"]["problems"]`; `attrs["tinker"]["logs"]` has the log folder of each training run, from which a
            view draws curves. Sends no request.

        Raises
        ------
        AttributeError
            If the frame has no column `tinker_path`.
        FileNotFoundError
            If there is no such folder.
        InvalidRequestError
            For a metric or setting that no log has, and a frame of your own that lacks the column or has a value twice.

        Examples
        --------
        >>> frame = client.checkpoints().tinker.with_metrics("~/runs", metrics=["test/nll"])
        >>> frame.tinker.retire(keep=tkf.policies.best("test/nll", n=2))
        """
        import pandas as pd

        from .training_logs.join import add_metrics, merge_frame
        from .training_logs.reader import find_logs

        if isinstance(logs, pd.DataFrame):
            return merge_frame(restore_keys(self._frame), logs, on)
        if on is not None:
            raise InvalidRequestError("on= is for a frame of your own", hint="Logs are matched by their tinker paths.")
        return add_metrics(self._require_path(), find_logs(logs), metrics, config)

    def with_reads(
        self,
        within: str | timedelta = "60d",
        *,
        refresh: bool = False,
        client: Client | None = None,
        progress: bool | None = None,
    ) -> pd.DataFrame:
        """Return the frame with when each checkpoint was last read, and by whom, from the organization's audit log.

        Sends GET /api/v1/audit for each day, in parallel; a day with entries that ended over two days ago is kept for good.

        Parameters
        ----------
        within
            How far back to look, e.g. "60d".
        refresh
            Read also the days that are kept.

        Returns
        -------
        DataFrame
            One row per row of the frame, with `last_read_at` (time, NA if it was not read since), `read_by` (str, a user's address or
            the id of a session) and `reads_known_since` (time, from when on all reads are known: NA without the role, which is then
            in `attrs["tinker"]["problems"]`).

        Raises
        ------
        InvalidRequestError
            For what is not a duration.

        Examples
        --------
        >>> client.checkpoints().tinker.with_reads("30d").query("last_read_at.isna()")["size_gb"].sum()
        """
        from .listings.reads import add_reads, read_reads

        rows, client = self._require_path(), self._find_client(client)
        seconds = parse_duration(within)
        return add_reads(rows, read_reads(client.transport, seconds, progress=progress, refresh=refresh))

    def console_url(self) -> pd.Series[str]:
        """Return the address of each row in the web console of the official service; compatible servers have none.

        Returns
        -------
        Series
            A str for each row, with the index of the frame: the page of its checkpoint, else of its training run, else of its session;
            NA for a row that names none. Sends no request.

        Raises
        ------
        AttributeError
            If the frame has none of the columns `tinker_path`, `training_run_id` and `session_id`.

        Examples
        --------
        >>> frame = client.sessions()
        >>> frame["console_url"] = frame.tinker.console_url()
        """
        from .schema.identity import find_console_links

        return find_console_links(self._frame)

    def _make_plan(self, action: str, client: Client | None, given: Mapping[str, Any]) -> Plan:
        """Return the plan of an action named by text, with its arguments: what the method of that name calls."""
        from .client import registry

        rows, client = self._require_path(), self._find_client(client)
        registry.remember(client)  # for `tkf.undo(plan)`
        return client.planner.plan(action, rows, given)

    @document(PARAMETERS, raises=PATH_ERRORS)
    def weights_info(self, *, client: Client | None = None, progress: bool | None = None) -> pd.DataFrame:
        """Return the base model and LoRA shape of each checkpoint; also of other users' public checkpoints.

        Sends one POST /api/v1/weights_info per checkpoint, in parallel.

        Returns
        -------
        DataFrame
            One row per checkpoint: `tinker_path`, `base_model` (str), `is_lora` (boolean), `lora_rank` (Int64), `train_unembed`,
            `train_mlp`, `train_attn` (boolean), `optimizer` (str), and `error` (str): why a row is otherwise NA.

        Examples
        --------
        >>> client.checkpoints().tinker.weights_info()["lora_rank"].value_counts()
        """
        from .listings.weights import weights_info

        paths, client = self._collect_paths(), self._find_client(client)
        return weights_info(client.rest, paths, client.transport.settings.max_workers, progress)

    @document(PARAMETERS, raises=PATH_ERRORS)
    def archive_urls(self, *, client: Client | None = None, progress: bool | None = None) -> ArchiveUrls:
        """Return the signed URL of each checkpoint's archive, after waiting for archives that are still being built.

        Sends GET /api/v1/training_runs/{run}/checkpoints/{ck}/archive for each, in parallel. Anybody can read the weights with such a
        URL until it expires.

        Returns
        -------
        ArchiveUrls
            A mapping of tinker path to URL; its repr hides the URLs. Archives that are not available are missing from it, and
            `errors` says why.

        Examples
        --------
        >>> urls = client.checkpoints().tail(1).tinker.archive_urls()
        """
        from .listings.weights import ArchiveUrls, archive_urls

        paths, client = self._collect_paths(), self._find_client(client)
        return ArchiveUrls(archive_urls(client.rest, paths, client.transport.settings.max_workers, progress))

    @document(PARAMETERS, raises={})
    def explore(self, *, client: Client | None = None, layout: dict[str, Any] | None = None) -> View:
        """Return a view of the frame in which to filter and select rows and act on them, as `tkf.explore(frame)`.

        Returns
        -------
        View
            A `CheckpointsView`, `TrainingRunsView` or `SessionsView`; a notebook shows it.

        Raises
        ------
        ImportError
            Without the extra `lab`.
        InvalidRequestError
            If the frame has no rows of a table that can be explored, or is of another account.

        Examples
        --------
        >>> client.checkpoints().query("size_gb > 1").tinker.explore()
        """
        from .views import explore

        return explore(self._frame, client, layout=layout)

    def _collect_paths(self) -> list[str]:
        return [str(path) for path in self._require_path()["tinker_path"].dropna()]

    def _require_path(self) -> pd.DataFrame:
        frame = restore_keys(self._frame)
        if list(frame.columns).count("tinker_path") != 1:
            self._require_column("tinker_path")
        return frame

    def _find_client(self, client: Client | None) -> Client:
        from .functions import find_client

        return find_client(self._frame, client)

    def _require_column(self, column: str) -> None:
        count = list(self._frame.columns).count(column)
        if count > 1:
            raise InvalidRequestError(f"the frame has {count} columns {column!r}", hint="Keep one of them.")
        if count:
            return
        then = "keep it when you select columns"
        if column == "tinker_path":
            then += next((f", or {way}" for key, way in _WAYS.items() if key in self._frame.columns), "")
        raise AttributeError(f"this needs a column {column!r}, and the frame has none; {then}")

    def __repr__(self) -> str:
        names = [name for name in dir(self) if not name.startswith("_")]
        return f"<df.tinker of {len(self._frame)} rows: {', '.join(names)}>"


def _build_method(action: Action) -> Callable[..., Plan]:
    """Return the accessor's method of an action."""
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Client | None")
    signature = inspect.Signature([self, *map(build_parameter, action.parameters), client], return_annotation="Plan")

    def method(*args: Any, **kwargs: Any) -> Plan:
        given = bind_arguments(action.name, signature, args, kwargs)
        accessor: TinkerAccessor = given.pop("self")
        return accessor._make_plan(action.name, given.pop("client", None), given)  # noqa: SLF001  # of the same class

    method.__name__, method.__qualname__ = action.name, f"TinkerAccessor.{action.name}"
    method.__signature__ = signature  # type: ignore[attr-defined]
    method.__doc__ = build_docstring(action, PARAMETERS["client"])
    return method


for _action in ACTIONS.values():
    if _action.is_offered:
        setattr(_Actions, _action.name, _build_method(_action))
