"""Types of arguments, checked against annotations when a public method is called, so that a mistake is named at once; pure."""

from __future__ import annotations

import difflib
import functools
import inspect
import numbers
import os
import types
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import ArgumentTypeError, InvalidRequestError

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C")


def check_methods(cls: type[C]) -> type[C]:
    """Check the arguments of every public method of a class; a class decorator."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, check_arguments(method))
    return cls


def check_arguments(function: F) -> F:
    """Return a function that raises `ArgumentTypeError` for an argument of another type than its annotation; a decorator.

    What a list or mapping holds is not looked at, nor are annotations that only type checkers can resolve.
    """
    signature = inspect.signature(function)

    several = [name for name, parameter in signature.parameters.items() if parameter.kind is parameter.VAR_POSITIONAL]
    find_kinds = functools.cache(functools.partial(_find_kinds, function))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        kinds = find_kinds()
        for name, value in bind_arguments(function.__name__, signature, args, kwargs).items():
            for each in value if name in several else (value,):
                check_argument(name, each, kinds.get(name, Any))
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def bind_arguments(
    called: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a call by name; raise `TypeError`, which names the function, for what it does not take."""
    try:
        return signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        names = list(signature.parameters)
        close = [match for name in kwargs if name not in names for match in difflib.get_close_matches(name, names, 1)]
        hint = f". Did you mean {close[0]!r}?" if close else ""
        raise TypeError(f"{called}(): {error}{hint}") from None


def _find_kinds(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function's parameters, but for those that only type checkers can resolve."""
    kinds: dict[str, Any] = {}
    for name, annotation in function.__annotations__.items():
        with suppress(NameError):
            alone = types.SimpleNamespace(__annotations__={name: annotation})
            kinds |= get_type_hints(alone, inspect.unwrap(function).__globals__)
    return kinds


def check_argument(name: str, value: Any, kind: Any) -> None:
    """Raise `ArgumentTypeError` for a value of another type; the value, which may be a key in the wrong place, is not shown."""
    if not _is_of(value, kind):
        raise ArgumentTypeError(f"{name} must be {inspect.formatannotation(kind)}, not {type(value).__name__}")


def check_count(n: int, least: int) -> int:
    """Return a count as Python's own number, also one of numpy's; raise `InvalidRequestError` for anything else, or a smaller one."""
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < least:
        raise InvalidRequestError(f"{n!r} is not a whole number of {least} or more", hint="Pass a count.")
    return int(n)


def check_text(value: str, what: str) -> None:
    """Raise `InvalidRequestError` for what is no text, or empty."""
    if not isinstance(value, str) or not value:
        raise InvalidRequestError(f"{value!r} is not {what}", hint="Pass it as text.")


def list_texts(name: str, given: Any, kind: Any = str) -> list[Any]:
    """Return one text or several as a list; raise `ArgumentTypeError` for anything else."""
    several = [given] if isinstance(given, (str, os.PathLike)) else given
    if not isinstance(several, Iterable):
        one = inspect.formatannotation(kind)
        raise ArgumentTypeError(f"{name} must be {one} or several of these, not {type(given).__name__}")
    found = list(several)
    for each in found:
        check_argument(name, each, kind)
    return found


def expand_home(path: str | os.PathLike[str], called: str) -> Path:
    """Return a path with `~` expanded; raise `InvalidRequestError`, which names the argument, for what is none, or an unknown home directory."""
    text = os.fspath(path)
    if not text or "\0" in text:
        problem = f"{called}: {text!r} {'holds a NUL' if text else 'is empty'}"
    else:
        try:
            return Path(text).expanduser()
        except RuntimeError:
            problem = f"{called}: the home directory of {text!r} is not known"
    raise InvalidRequestError(problem, hint="Pass an absolute path, or set HOME.")


def _is_of(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a type: numbers are Python's own and numpy's, but truth values are none."""
    return any(_is_of_one(value, one) for one in (get_args(kind) if isinstance(kind, types.UnionType) else (kind,)))


def _is_of_one(value: Any, kind: Any) -> bool:
    is_truth = isinstance(value, bool) or type(value).__name__ == "bool_"
    if kind is bool:
        return is_truth or type(value).__name__ == "bool"  # numpy's
    if kind in (int, float):
        return isinstance(value, numbers.Integral if kind is int else numbers.Real) and not is_truth
    if kind is None or kind is Any:
        return value is None or kind is Any
    plain = get_origin(kind) or kind
    return not isinstance(plain, type) or isinstance(value, plain)
