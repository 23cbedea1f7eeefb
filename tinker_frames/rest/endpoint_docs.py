"""Docstrings of the endpoints: their parameters, what they return and the errors they raise, each described once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .. import errors
from ..schema.docstrings import REQUEST_ERRORS, describe_errors, document

C = TypeVar("C")

PARAMETERS = {
    "session_id": "The session's id.",
    "training_run_id": "The training run's id.",
    "sampler_id": "The sampler's id.",
    "tinker_path": "The checkpoint's address, `tinker://<run>/<segment>/<name>`.",
    "path_or_run": "The checkpoint's tinker path; or, with `checkpoint_id`, its training run's id.",
    "checkpoint_id": "The checkpoint's id within the run, sent as it is; None if the first argument is a tinker path.",
    "access_scope": "Your own objects, or all that you can read; None leaves it to the server.",
    "project_id": "Only the objects of this project.",
    "limit": "Number of objects on the page; servers refuse more than their cap.",
    "offset": "Number of objects to skip.",
    "cursor": "The `next_cursor` of the page before.",
    "refresh": "Bypass the cache.",
    "progress": "Receives waits and retries, and can cancel the call.",
}


WRITE_ERRORS = {
    "ConflictError": "If the server knows checkpoints by bare name and the run has two of that name; nothing is sent then.",
    "TinkerError": "If reading the run afterwards shows that the write had no effect, or cannot show its effect.",
}


def document_endpoints(cls: type[C]) -> type[C]:
    """Complete the docstrings of a class that has one method per endpoint; a class decorator."""
    for name, method in vars(cls).items():
        if not name.startswith("_"):
            is_write = method.__annotations__["return"] == "None"
            returns = "" if is_write else "dict\n    The parsed JSON of the answer."
            raises = describe_errors(*_collect_errors(method)) | (WRITE_ERRORS if is_write else {})
            document(PARAMETERS, returns=returns, raises=raises)(method)
    return cls


def _collect_errors(method: Callable[..., Any]) -> list[type[errors.TinkerError]]:
    """Return the errors that follow from what an endpoint takes, and those of any request."""
    taken = method.__annotations__
    found: list[type[errors.TinkerError]] = []
    if "tinker_path" in taken or "path_or_run" in taken:
        found.append(errors.InvalidTinkerPathError)
    if any(name.endswith(("_id", "_path", "_run")) for name in taken):
        found.append(errors.NotFoundError)
    return [*found, errors.InvalidRequestError, *REQUEST_ERRORS]
