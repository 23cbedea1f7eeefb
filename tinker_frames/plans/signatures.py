"""The signature and docstring of the method that plans an action, made from its declaration; pure."""

from __future__ import annotations

import inspect

from ..schema.docstrings import REQUEST_ERRORS, describe_errors, format_entries, join_sections
from .actions import Action, Parameter


def build_parameter(parameter: Parameter) -> inspect.Parameter:
    """Return a parameter of an action as one of its method."""
    kind = "Rule" if parameter.kind == "rule" else "Duration"
    default = inspect.Parameter.empty if parameter.is_required else parameter.default
    annotation = f"{kind} | {'pd.Series[Any] | ' if parameter.by_row else ''}None" if parameter.takes_none else kind
    return inspect.Parameter(
        parameter.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation
    )


def build_docstring(action: Action, client: str) -> str:
    """Return the docstring of an action's method; `client` describes the parameter of that name."""
    url = f"/api/v1/training_runs/{{run}}/checkpoints/{{ck}}{action.suffix and '/' + action.suffix}"
    sent = f": {action.method} {url}" if action.method else ""
    by_row = " Also the name of a column, or a Series, with one for each row; none may be missing."
    documented = {each.name: each.doc + by_row * each.by_row for each in action.parameters} | {"client": client}
    example = ", ".join(parameter.example for parameter in action.parameters if parameter.is_required)
    return join_sections(
        {
            "": f"Plan to {action.doc[0].lower()}{action.doc[1:]}\n\n"
            f"Nothing is sent until `plan.run()`, which sends one request per checkpoint{sent}.",
            "Parameters": format_entries(documented),
            "Returns": format_entries(
                {"Plan": "One row per checkpoint of the frame; `plan.frame` has a verdict on each."}
            ),
            "Raises": format_entries(_PLAN_ERRORS),
            "Examples": f">>> plan = client.checkpoints().tinker.{action.name}({example})",
        }
    )


_PLAN_ERRORS = {
    "AttributeError": "If the frame has no column `tinker_path`, or lacks a column that a keep rule needs.",
    "InvalidRequestError": "For an invalid argument, or a frame of another account.",
} | describe_errors(*REQUEST_ERRORS)
