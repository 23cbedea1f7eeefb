"""`df.tinker`: what can be done with a frame, whether it came from a client, a file, or was made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .schema.durations import Duration, parse_ttl

if TYPE_CHECKING:
    import pandas as pd

    from .client import Client
    from .errors import TinkerError
    from .plans.plan import Plan
    from .policies import Rule
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


class TinkerAccessor:
    """Calls on a frame of Tinker rows, as `df.tinker`.

    Each call says which column it needs, if the frame lacks it. What writes returns a `Plan`, and sends nothing. `client=` names the
    client; else it is the one that the frame came from, else the default one. A frame of another account is refused.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def expand_metadata(self, column: str = "user_metadata", *, numeric: bool = False) -> pd.DataFrame:
        """Return the frame with a `meta.<key>` column for every key of its metadata.

        Parameters
        ----------
        column
            The column with the metadata as JSON text.
        numeric
            Make float64 columns of those whose every value is a number; otherwise all are text, as the service keeps them.

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

        self._need(column)
        return expand_metadata(self._frame, column, numeric=numeric)

    def publish(self, *, client: Client | None = None) -> Plan:
        """Plan to make the checkpoints public: any Tinker user may then load them (POST …/publish)."""
        return self._plan("publish", client)

    def unpublish(self, *, client: Client | None = None) -> Plan:
        """Plan to make the checkpoints private again; what others took meanwhile cannot be recalled (DELETE …/publish)."""
        return self._plan("unpublish", client)

    def set_ttl(self, ttl: Duration | None, *, client: Client | None = None) -> Plan:
        """Plan to let the checkpoints expire so long from the moment it runs: an hour to ten years; None: never (PUT …/ttl).

        Parameters
        ----------
        ttl
            `"30d"`, `"12h"`, seconds, a timedelta, or None.

        Raises
        ------
        InvalidRequestError
            For anything that is not a duration, or out of range.
        """
        return self._plan("set_ttl", client, None if ttl is None else parse_ttl(ttl))

    def delete(self, *, client: Client | None = None) -> Plan:
        """Plan to delete the checkpoints for ever (DELETE …/checkpoints/{ck}). It cannot be undone; `expire` can.

        Examples
        --------
        >>> plan = client.checkpoints().query("age_days > 30").tinker.delete()  # doctest: +SKIP
        >>> plan.run()  # doctest: +SKIP
        """
        return self._plan("delete", client)

    def expire(self, after: Duration = "24h", *, client: Client | None = None) -> Plan:
        """Plan to let the service delete the checkpoints after a while: until then `tkf.undo` brings back their old expiry.

        Rows that expire sooner anyway are left alone.
        """
        return self._plan("expire", client, parse_ttl(after))

    def retire(self, keep: Rule, after: Duration | None = None, *, client: Client | None = None) -> Plan:
        """Plan to remove every checkpoint that a keep rule does not keep.

        Parameters
        ----------
        keep
            A rule of `tkf.policies`, e.g. `keep_last(3) | keep_public()`. It is judged on the rows of this frame.
        after
            None deletes; a duration expires instead, which can be undone.

        Returns
        -------
        Plan
            Of the rest; `plan.kept` is the frame of what stays, and both have a `reason` column.

        Examples
        --------
        >>> rule = policies.keep_last(2) | policies.keep_named("final")  # doctest: +SKIP
        >>> client.checkpoints().tinker.retire(keep=rule, after="24h").run(confirm=True)  # doctest: +SKIP
        """
        from .plans.plan import retirement

        ttl_seconds = None if after is None else parse_ttl(after)
        return retirement(self._with_path(), keep, self._holder(client), ttl_seconds)

    def weights_info(self, *, client: Client | None = None, progress: bool | None = None) -> pd.DataFrame:
        """Return one row per checkpoint with `base_model, is_lora, lora_rank, train_unembed, train_mlp, train_attn, optimizer`.

        From POST /api/v1/weights_info, one request each, in parallel; also for other people's public checkpoints. `error` says
        why a row has nothing.
        """
        from .listings.weights import weights_info

        paths, client = self._paths(), self._client(client)
        return weights_info(client.rest, paths, client.session.settings.max_workers, progress)

    def archive_urls(self, *, client: Client | None = None, progress: bool | None = None) -> ArchiveUrls:
        """Return a mapping of tinker path to the signed URL of its archive (GET …/archive); its repr hides the URLs.

        An archive that is still being built is waited for. Whoever has such a URL can read the weights until it expires.
        One that cannot be had costs only its own row: `errors` of the mapping says why.
        """
        from .listings.weights import archive_urls

        paths, client = self._paths(), self._client(client)
        return ArchiveUrls(archive_urls(client.rest, paths, client.session.settings.max_workers, progress))

    def explore(self, *, client: Client | None = None) -> View:
        """Return a view of the frame in which to filter, choose and act, as `tkf.explore(frame)`."""
        from .views import explore

        return explore(self._frame, client)

    def _plan(self, action: str, client: Client | None, ttl_seconds: int | None = None) -> Plan:
        from .plans.plan import make

        return make(action, self._paths(), self._holder(client), ttl_seconds=ttl_seconds)

    def _paths(self) -> list[str]:
        return [str(path) for path in self._with_path()["tinker_path"].dropna()]

    def _with_path(self) -> pd.DataFrame:
        self._need("tinker_path")
        return self._frame

    def _client(self, client: Client | None) -> Client:
        from .functions import client_for

        return client_for(self._frame, client)

    def _holder(self, client: Client | None) -> Any:
        from .holder import Holder

        return Holder(self._client(client))

    def _need(self, column: str) -> None:
        if column not in self._frame.columns:
            raise AttributeError(
                f"this needs a column {column!r}, and the frame has none; keep it when you select columns"
            )

    def __repr__(self) -> str:
        names = [name for name in dir(self) if not name.startswith("_")]
        return f"<df.tinker of {len(self._frame)} rows: {', '.join(names)}>"


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
