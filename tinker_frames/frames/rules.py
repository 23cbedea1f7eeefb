"""`Rule`: a condition on the rows of a frame, true, false or unknown for each; combined with `&`, `|` and `~`. Pure.

`policies` declares the keep rules of checkpoints.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..schema.identity import align_mask, name_rows, restore_keys
from .comparisons import suggest_columns, suggest_logs

if TYPE_CHECKING:
    import pandas as pd

Mask = Callable[["pd.DataFrame"], "pd.Series[bool]"]


class Rule:
    """A condition on checkpoints: call it with a frame for one bool per row; combine rules with `&`, `|` and `~`."""

    __pandas_priority__ = 5000  # above that of Series, which would try `|` with each of its values

    def __init__(
        self,
        text: str,
        mask: Mask,
        *,
        needs: tuple[str, ...] = (),
        precedence: int = 3,
        code: str = "",
        measures: Mapping[str, Callable[[pd.DataFrame], pd.Series[Any]]] | None = None,
        lookback_s: float = 0,
    ) -> None:
        self._text, self._mask, self._needs, self._precedence = text, mask, needs, precedence
        self._code = code or f"tkf.policies.{text}"
        self._measures, self._lookback_s = dict(measures or {}), lookback_s
        self._of: tuple[Rule, ...] = ()
        self._call: functools.partial[Rule] | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the rule declares to need, with those of the rules that it is made of."""
        return frozenset(self._needs).union(*(rule.columns for rule in self._of))

    @property
    def lookback_s(self) -> float:
        """How far back it has to be known when checkpoints were read, in seconds; 0 if that does not matter."""
        return max([self._lookback_s, *(rule.lookback_s for rule in self._of)])

    def measure(self, frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
        """Return the numbers that rows are compared by, with those of the rules that it is made of: a Series for each name."""
        found = {name: read(frame) for name, read in self._measures.items()}
        for rule in self._of:
            found |= rule.measure(frame)
        return found

    @property
    def alternatives(self) -> tuple[Rule, ...]:
        """The rules that it joins by or; itself, if it joins none."""
        return (self,)

    @property
    def code(self) -> str:
        """The rule as code that runs after `import tinker_frames as tkf`.

        Examples
        --------
        >>> from tinker_frames.policies import keep_last, keep_public
        >>> (keep_last(3) & ~keep_public()).code
        'tkf.policies.keep_last(3) & ~tkf.policies.keep_public()'
        """
        return self._code

    def made_by(self, function: Callable[..., Rule], args: tuple[Any, ...], options: dict[str, Any]) -> Rule:
        """Note which function of a module made the rule, so that it can be pickled; return the rule."""
        self._call = functools.partial(function, *args, **options)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the call or the rules that it was made of; a custom rule, by its mask."""
        if self._of:
            return type(self), self._of
        if self._call is not None:
            return self._call, ()
        return super().__reduce_ex__(2)  # type: ignore[return-value]

    def __call__(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Return a boolean Series with the index of the frame: True for the rows it keeps, and for those of which it cannot tell.

        Raises
        ------
        AttributeError
            If the frame lacks a column that the rule needs.
        InvalidRequestError
            If the mask of a custom rule is of other rows; a Series is aligned by its index.
        """
        return self.judge(frame).fillna(True).astype(bool)

    def judge(self, frame: pd.DataFrame) -> pd.Series[Any]:
        """Return which rows fulfil the condition, as `boolean`: NA where that is not known."""
        labels, frame = frame.index, name_rows(restore_keys(frame))  # rows may repeat labels
        require_columns(self, frame, *self._needs)
        return align_mask(self._mask(frame), frame.index, f"the mask of {self}").set_axis(labels)

    def reasons(self, frame: pd.DataFrame) -> pd.Series[str]:
        """Return a str Series with the index of the frame: the part of the rule that keeps the row, empty for rows it does not keep."""
        import pandas as pd

        mask = self.judge(frame)
        texts = {True: str(self), False: "", None: f"not known: {self}"}
        return pd.Series([texts[None if kept is pd.NA else kept] for kept in mask], index=frame.index)

    def __and__(self, other: Rule) -> Rule:
        return Both(self, self._check_other(other))

    def __or__(self, other: Rule) -> Rule:
        return Either(self, self._check_other(other))

    __rand__, __ror__ = __and__, __or__  # for what is no rule: two rules never come here

    def __invert__(self) -> Rule:
        return Not(self)

    def _check_other(self, other: object) -> Rule:
        if isinstance(other, Rule):
            return other
        what = f"{other.__name__} is a function: call it" if hasattr(other, "__name__") else f"{other!r} is none"
        raise TypeError(f"{self} can be combined with a keep rule only, and {what}; make one with tkf.policies")

    def __bool__(self) -> bool:
        raise TypeError(f"{self} is a rule, not a truth value; combine rules with & | ~ instead of and, or, not")

    def __repr__(self) -> str:
        return self._text

    def wrap(self, text: str, precedence: int) -> str:
        """Return the rule's text or code, in parentheses if the operator around it binds more tightly."""
        return text if self._precedence >= precedence else f"({text})"


class Not(Rule):
    """A rule that keeps the rows that its part does not keep; what is not known of them stays so."""

    def __init__(self, one: Rule) -> None:
        super().__init__(f"~{one.wrap(str(one), 3)}", lambda frame: ~one.judge(frame), code=f"~{one.wrap(one.code, 3)}")
        self._of = (one,)


class Both(Rule):
    """A rule that keeps the rows that both of its parts keep."""

    def __init__(self, one: Rule, other: Rule) -> None:
        super().__init__(
            f"{one.wrap(str(one), 2)} & {other.wrap(str(other), 2)}",
            lambda frame: one.judge(frame) & other.judge(frame),
            precedence=2,
            code=f"{one.wrap(one.code, 2)} & {other.wrap(other.code, 2)}",
        )
        self._of = (one, other)


class Either(Rule):
    """A rule that keeps the rows that either of its parts keeps."""

    def __init__(self, one: Rule, other: Rule) -> None:
        super().__init__(
            f"{one} | {other}",
            lambda frame: one.judge(frame) | other.judge(frame),
            precedence=1,
            code=f"{one.code} | {other.code}",
        )
        self._of = (one, other)

    @property
    def alternatives(self) -> tuple[Rule, ...]:
        """The rules that it joins by or."""
        return tuple(rule for part in self._of for rule in part.alternatives)

    def reasons(self, frame: pd.DataFrame) -> pd.Series[str]:
        """Return per row the parts that keep it."""
        one, other = (part.reasons(frame) for part in self._of)
        both = one.where(other == "", one + "; " + other)
        return both.where(one != "", other)


def require_columns(rule: Rule, frame: pd.DataFrame, *columns: str, others: Iterable[str] = ()) -> None:
    """Raise `AttributeError` if a frame lacks a column that a rule needs; `others` are names that could be meant besides its columns."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        meant = suggest_columns(missing, [*others, *frame.columns])
        if not meant and (hint := suggest_logs(missing, frame.columns)):
            meant = f"; {hint}"
        plural = "s" if len(missing) > 1 else ""
        raise AttributeError(
            f"{rule} needs the column{plural} {', '.join(map(repr, missing))}, which the frame lacks{meant}"
        )
