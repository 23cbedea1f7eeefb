"""The endpoints of the API: name to method and route. Routers, faults and the request log use these names."""

from __future__ import annotations

import re

_RUN = "/api/v1/training_runs/{run}"
_CHECKPOINT = _RUN + "/checkpoints/{checkpoint:path}"
_SESSION = "/api/v1/sessions/{session}"

# A checkpoint's longer routes come before the ones that would match their last segment as part of a name.
ENDPOINTS: dict[str, tuple[str, str]] = {
    "list_sessions": ("GET", "/api/v1/sessions"),
    "search_sessions": ("POST", "/api/v1/sessions/search"),
    "get_session": ("GET", _SESSION),
    "assign_session_project": ("PUT", _SESSION + "/project"),
    "export_session_trace": ("GET", _SESSION + "/trace_export"),
    "finish_session": ("POST", _SESSION + "/finish"),
    "list_training_runs": ("GET", "/api/v1/training_runs"),
    "get_training_run": ("GET", _RUN),
    "list_checkpoints": ("GET", _RUN + "/checkpoints"),
    "list_model_checkpoints": ("GET", "/api/v1/models/{run}/checkpoints"),
    "list_user_checkpoints": ("GET", "/api/v1/checkpoints"),
    "get_sampler": ("GET", "/api/v1/samplers/{sampler}"),
    "get_weights_info": ("POST", "/api/v1/weights_info"),
    "publish_checkpoint": ("POST", _CHECKPOINT + "/publish"),
    "unpublish_checkpoint": ("DELETE", _CHECKPOINT + "/publish"),
    "set_checkpoint_ttl": ("PUT", _CHECKPOINT + "/ttl"),
    "get_checkpoint_archive_url": ("GET", _CHECKPOINT + "/archive"),
    "get_external_weights_urls": ("GET", _CHECKPOINT + "/external_weights_urls"),
    "download_checkpoint": ("GET", _CHECKPOINT + "/download"),
    "delete_checkpoint": ("DELETE", _CHECKPOINT),
    "copy_weights": ("POST", "/api/v1/copy_weights"),
    "get_billing_usage": ("GET", "/api/v1/billing/usage/events"),
    "get_current_checkpoint_storage_usage": ("GET", "/api/v1/billing/usage/checkpoints/current"),
    "get_audit_log": ("GET", "/api/v1/audit"),
    "get_server_capabilities": ("GET", "/api/v1/get_server_capabilities"),
    "health_check": ("GET", "/api/v1/healthz"),
    "get_api_key": ("GET", "/api/v1/auth/apikey/me"),
    "get_auth_token": ("POST", "/api/v1/auth/token"),
    "get_client_config": ("POST", "/api/v1/client/config"),
    "get_client_dynamic_config": ("POST", "/api/v1/client/dynamic_config"),
    "create_session": ("POST", "/api/v1/create_session"),
    "session_heartbeat": ("POST", "/api/v1/session_heartbeat"),
    "send_telemetry": ("POST", "/api/v1/telemetry"),
    "get_storage": ("GET", "/storage/{file:path}"),
}

WRITES = frozenset(
    {
        "publish_checkpoint",
        "unpublish_checkpoint",
        "set_checkpoint_ttl",
        "delete_checkpoint",
        "copy_weights",
        "assign_session_project",
    }
)

PAGED = ("list_sessions", "search_sessions", "list_training_runs", "list_checkpoints", "list_user_checkpoints")


def _compile_route(route: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.sub(r"\\{\w+:path\\}", ".+", re.escape(route))), re.DOTALL)


_PATTERNS = [(name, method, _compile_route(route)) for name, (method, route) in ENDPOINTS.items()]


def find_endpoint(method: str, path: str) -> str:
    """Return the name of the endpoint that a request addresses, or `unknown`."""
    matches = (name for name, verb, pattern in _PATTERNS if verb == method and pattern.fullmatch(path))
    return next(matches, "unknown")
