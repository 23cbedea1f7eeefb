"""Numpydoc sections of docstrings that are built from declarations: parameters, the columns of a frame, errors; pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from ..errors import (
    AuthenticationError,
    ConnectionFailedError,
    PermissionDeniedError,
    RateLimitError,
    SchemaError,
    ServerError,
    TinkerError,
)
from .columns import Column

SECTIONS = ("", "Parameters", "Attributes", "Returns", "Raises", "Notes", "Examples")
# What any request can end with.
REQUEST_ERRORS = (
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ConnectionFailedError,
    SchemaError,
)

F = TypeVar("F", bound=Callable[..., Any])


def document(
    parameters: Mapping[str, str], *, returns: str = "", raises: Mapping[str, str] | None = None
) -> Callable[[F], F]:
    """Return a decorator that completes the docstring of a function.

    Entries of `Parameters` and `Raises` that the docstring has itself are kept, and so is its section `Returns`.

    Parameters
    ----------
    parameters
        What each parameter means, by name; those that the function does not take are left out.
    returns
        The body of the section `Returns`.
    raises
        When each error is raised, by its name; by default the errors of any request.
    """

    def decorate(function: F) -> F:
        sections = split_sections(function.__doc__ or "")
        found = inspect.signature(function).parameters
        own = _parse_entries(sections.get("Parameters", ""))
        described = {name: own.get(name, parameters.get(name, "")) for name in found if name != "self"}
        entries = {describe_parameter(found[name], function): doc for name, doc in described.items() if doc}
        special = _parse_entries(sections.get("Raises", ""))
        general = describe_errors(*REQUEST_ERRORS) if raises is None else raises
        sections["Parameters"] = format_entries(entries)
        sections["Returns"] = sections.get("Returns", returns)
        sections["Raises"] = format_entries(
            special | {name: doc for name, doc in general.items() if name not in special}
        )
        function.__doc__ = join_sections(sections)
        return function

    return decorate


def split_sections(docstring: str) -> dict[str, str]:
    """Return the sections of a docstring by their titles; what stands before the first has none."""
    parts = re.split(r"^(\w+)\n-{3,}\n", inspect.cleandoc(docstring), flags=re.MULTILINE)
    return {"": parts[0].strip()} | {
        title: body.strip("\n") for title, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def join_sections(sections: Mapping[str, str]) -> str:
    """Return a docstring of these sections, in the order of numpydoc, without those that are empty."""
    present = [title for title in SECTIONS if sections.get(title)]
    return "\n\n".join(
        f"{title}\n{'-' * len(title)}\n{sections[title]}" if title else sections[title] for title in present
    )


def format_entries(entries: Mapping[str, str]) -> str:
    """Return the body of a section: each entry on a line, its description indented below it."""
    return "\n".join(
        f"{name}\n" + "\n".join(f"    {line}" for line in doc.split("\n")) for name, doc in entries.items()
    )


def describe_parameter(parameter: inspect.Parameter, function: Callable[..., Any] | None = None) -> str:
    """Return a parameter as numpydoc writes it: name, type, and default if it has one."""
    names = getattr(function, "__globals__", {})
    text = inspect.formatannotation(parameter.annotation).strip("'")
    kind = re.sub(r"\w+", lambda word: _format_literal(names.get(word[0])) or word[0], text)
    default = "" if parameter.default is inspect.Parameter.empty else f", default {parameter.default!r}"
    return f"{parameter.name} : {kind}{default}"


def describe_errors(*errors: type[TinkerError]) -> dict[str, str]:
    """Return when each error is raised, from the first line of its docstring, by its name."""
    return {error.__name__: inspect.cleandoc(error.__doc__ or "").split("\n", 1)[0] for error in errors}


def format_columns(columns: Iterable[Column]) -> str:
    """Return the columns of a frame with dtype and meaning, a line each."""
    return "\n".join(f"* `{column.name}` ({column.dtype}): {column.doc}" for column in columns)


def _format_literal(kind: Any) -> str:
    """Return the values of a `Literal` as numpydoc writes them; empty for other objects."""
    values = ", ".join(f'"{value}"' for value in get_args(kind))
    return f"{{{values}}}" if get_origin(kind) is Literal else ""


def _parse_entries(body: str) -> dict[str, str]:
    """Return the entries of a section by their names, without types; several names of one entry are one each."""
    entries: dict[str, str] = {}
    for part in re.split(r"\n(?=\S)", body.strip("\n")):
        head, _, doc = part.partition("\n")
        for name in head.partition(" :")[0].split(", ") if head else ():
            entries[name] = inspect.cleandoc(doc)
    return entries
