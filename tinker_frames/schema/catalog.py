"""The tables of an account and their columns, as data: source, kind, meaning and unit.

Frames, empty frames, the documentation's tables, exports and the grid are all derived from it. To add a column, add a line.
"""

from __future__ import annotations

from dataclasses import replace

from . import derived
from .columns import Column, Table

CHECKPOINT_TYPES = ("training", "sampler", "external")
SESSION_STATUSES = ("active", "cancelled", "client_finished", "failed")
STATUS_REASONS = ("success", "errored", "interrupted", "request", "training_run", "sampling_session")


def _extra() -> Column:
    return Column(
        "extra",
        "json",
        "fields this version does not know, and values it cannot read, as JSON; NA if there are none",
    )


def _storage_cost() -> Column:
    """Return the column of what storage costs, which `Account.finish` fills in: no server sends it."""
    name = "storage_usd_month"
    doc = "dollars a month for that size at the server's own rate, an estimate; NA if the server does not tell this account the rate"
    return Column(name, "float", doc, live=derived.keep_column(name))


def _checkpoint_fields() -> tuple[Column, ...]:
    """Return the columns of a checkpoint object, in a list or nested in a run."""
    return (
        Column("tinker_path", "text", "the checkpoint's address, unique on every server; name rows by it", required=True),
        Column("checkpoint_id", "text", "`<segment>/<name>` on the official service, the bare name on others", required=True),
        Column(
            "checkpoint_type", "category", "what it holds: training state, sampler weights or an external export",
            required=True, categories=CHECKPOINT_TYPES,
        ),
        Column("time", "time", "created, UTC", required=True),
        Column("size_bytes", "int", "size in bytes; NA if the server does not give it"),
        Column("public", "bool", "whether any Tinker user may load it; absent means no", default=False, disputable=True),
        Column("expires_at", "time", "deleted by the service at this time, UTC; NA means never, unless `expiry_unknown`"),
        Column("base_model", "text", "the model it was trained from; NA if the server does not give it with the checkpoint"),
        Column("user_metadata", "json", "the user's metadata as JSON text; `df.tinker.expand_metadata()` makes columns of it"),
    )  # fmt: skip


def _nested(prefix: str, what: str) -> tuple[Column, ...]:
    """Return a checkpoint's columns as they stand inside a training run."""
    names = {"tinker_path": "path", "checkpoint_id": "id", "checkpoint_type": "type"}
    return tuple(
        replace(
            column,
            name=f"{prefix}_{names.get(column.name, column.name)}",
            source=f"{prefix}.{column.name}",
            doc=f"{what}: {column.doc}",
            required=False,
            default=None,
            disputable=False,
        )
        for column in _checkpoint_fields()
    )


_CHECKPOINT = {column.name: column for column in _checkpoint_fields()}


def _add_other_fields(*columns: Column) -> tuple[Column, ...]:
    """Return columns with the fields of a checkpoint that have no place among them, before the last two."""
    placed = {column.name for column in columns}
    others = [column for name, column in _CHECKPOINT.items() if name not in placed]
    return (*columns[:-2], *others, *columns[-2:])


CHECKPOINTS = Table(
    name="checkpoints",
    row="one row per checkpoint",
    key="tinker_path",
    source="GET /api/v1/checkpoints, else each run's GET …/checkpoints",
    path="/api/v1/checkpoints",
    items="checkpoints",
    page_size=1000,
    default_size=100,
    brief=("tinker_path", "size_gb", "public", "age_days", "expires_in_days"),
    columns=_add_other_fields(
        _CHECKPOINT["tinker_path"],
        Column("training_run_id", "text", "the run that saved it, from its path", derive=derived.run_of_path()),
        Column(
            "session_id",
            "text",
            "the session of that run; NA if the id does not contain it",
            derive=derived.session_of_id("training_run_id"),
        ),
        Column("name", "text", "the name it was saved under, from its path", derive=derived.name_of_path()),
        Column("step", "int", "the number at the end of the name; NA if there is none", derive=derived.step_of_name),
        _CHECKPOINT["checkpoint_id"],
        _CHECKPOINT["checkpoint_type"],
        _CHECKPOINT["time"],
        Column("age_days", "float", "days since it was created", live=derived.days_since("time")),
        _CHECKPOINT["size_bytes"],
        Column("size_gb", "float", "size in gigabytes (10^9 bytes)", live=derived.gigabytes("size_bytes")),
        _storage_cost(),
        _CHECKPOINT["public"],
        _CHECKPOINT["expires_at"],
        Column(
            "expires_in_days",
            "float",
            "days until it expires; NA as `expires_at` is",
            live=derived.days_until("expires_at"),
        ),
        Column(
            "expiry_unknown",
            "bool",
            "whether it was sent with an expiry that cannot be read; then `expires_at` is NA, and that is not never",
            derive=derived.is_unread("expires_at"),
        ),
        _CHECKPOINT["base_model"],
        _CHECKPOINT["user_metadata"],
        _extra(),
    ),
)

# One run's checkpoints: the same rows from another endpoint, which the official service does not page.
RUN_CHECKPOINTS = replace(CHECKPOINTS, name="run_checkpoints", path="")

TRAINING_RUNS = Table(
    name="training_runs",
    row="one row per training run",
    key="training_run_id",
    source="GET /api/v1/training_runs",
    path="/api/v1/training_runs",
    items="training_runs",
    page_size=500,
    default_size=100,
    aliases={"id": "training_run_id"},
    brief=("training_run_id", "base_model", "lora_rank", "corrupted", "idle_days"),
    columns=(
        Column("training_run_id", "text", "the run's id", required=True),
        Column(
            "session_id",
            "text",
            "the session that owns it; NA if the id does not contain it",
            derive=derived.session_of_id("training_run_id"),
        ),
        Column("base_model", "text", "the model it trains", required=True),
        Column("model_owner", "text", "who owns it (a URN on the official service)", required=True),
        Column("is_lora", "bool", "whether it trains a LoRA adapter", required=True),
        Column("lora_rank", "int", "the adapter's rank; NA for none"),
        Column("corrupted", "bool", "whether it failed permanently; absent means no", default=False),
        Column("last_request_time", "time", "last used, UTC", required=True),
        Column("idle_days", "float", "days since it was last used", live=derived.days_since("last_request_time")),
        *_nested("last_checkpoint", "newest training checkpoint"),
        *_nested("last_sampler_checkpoint", "newest sampler checkpoint"),
        Column("user_metadata", "json", "the user's metadata as JSON text"),
        _extra(),
    ),
)

SESSIONS = Table(
    name="sessions",
    row="one row per session",
    key="session_id",
    source="POST /api/v1/sessions/search, else GET /api/v1/sessions and each session",
    path="/api/v1/sessions/search",
    items="sessions",
    page_size=200,
    default_size=50,
    brief=("session_id", "display_name", "status", "project_id", "checkpoints_count", "size_gb", "age_days"),
    columns=(
        Column("session_id", "text", "the session's id", required=True),
        Column("display_name", "text", "its name; free text, not unique"),
        Column("status", "category", "its state; NA: neither finished nor known to run", source="status.type", categories=SESSION_STATUSES, disputable=True),
        Column("status_reason", "category", "the reason for the state", source="status.reason.type", categories=STATUS_REASONS),
        Column("status_category", "category", "whether the user or the service caused a failure", source="status.category", categories=("user", "internal")),
        Column("status_message", "text", "the message of a failure", source="status.message"),
        Column("status_detail", "text", "more about a cancelled or finished session", source="status.detail"),
        Column("status_request_id", "text", "the request that failed it", source="status.reason.request_id"),
        Column("status_request_type", "text", "that request's type", source="status.reason.request_type"),
        Column("status_training_run_id", "text", "the training run that failed it", source="status.reason.training_run_id"),
        Column("status_sampling_session_id", "text", "the sampling session that failed it", source="status.reason.sampling_session_id"),
        Column("owner", "text", "its owner (a URN)", required=True),
        Column("project_id", "text", "the project it belongs to", required=True),
        Column("created_at", "time", "created, UTC", required=True),
        Column("age_days", "float", "days since it was created", live=derived.days_since("created_at")),
        Column("checkpoints_count", "int", "number of checkpoints", required=True),
        Column("checkpoint_storage_bytes", "int", "total size of its checkpoints in bytes"),
        Column("size_gb", "float", "the same in gigabytes (10^9 bytes)", live=derived.gigabytes("checkpoint_storage_bytes")),
        _storage_cost(),
        Column("user_metadata", "json", "the user's metadata as JSON text"),
        _extra(),
    ),
)  # fmt: skip

# What one GET of a session answers; the id is added by the reader.
SESSION_DETAILS = Table(
    name="session_details",
    row="one row per session",
    key="session_id",
    path="/api/v1/sessions",
    items="sessions",
    facts=("training_run_ids", "sampler_ids"),
    columns=(
        Column("session_id", "text", "the session's id", required=True),
        Column("display_name", "text", "its name; free text, not unique"),
        Column("training_run_ids", "texts", "the ids of its training runs", required=True),
        Column("sampler_ids", "texts", "the ids of its samplers", required=True),
        Column("user_metadata", "json", "the user's metadata as JSON text"),
        _extra(),
    ),
)

# The list of bare ids that servers without a search have.
SESSION_IDS = Table(
    name="session_ids",
    row="one row per session",
    key="session_id",
    path="/api/v1/sessions",
    items="sessions",
    page_size=500,
    default_size=20,
    bare=True,
    columns=(Column("session_id", "text", "the session's id", required=True),),
)

SAMPLERS = Table(
    name="samplers",
    row="one row per sampler",
    key="sampler_id",
    source="GET /api/v1/samplers/{sampler} for every sampler that a session lists",
    path="/api/v1/samplers",
    items="samplers",
    brief=("sampler_id", "base_model", "model_path"),
    facts=("model_path",),
    columns=(
        Column("sampler_id", "text", "the sampler's id", required=True),
        Column("session_id", "text", "the session that lists it"),
        Column("base_model", "text", "the model it samples from", required=True),
        Column("model_path", "text", "the tinker path it loaded; NA: the plain base model"),
        Column("training_run_id", "text", "the run of that path", derive=derived.run_of_path("model_path")),
        _extra(),
    ),
)

# What `details=True` adds: what other endpoints say of a session, and what its session and its checkpoints say of a run.
SESSIONS_WITH_DETAILS = replace(
    SESSIONS,
    brief=(*SESSIONS.brief, "training_run_ids", "sampler_ids"),
    columns=(
        *SESSIONS.columns[:-2],
        SESSION_DETAILS["training_run_ids"],
        SESSION_DETAILS["sampler_ids"],
        Column(
            "last_checkpoint_at", "time", "the newest of your checkpoints in it was created, UTC; NA if there is none"
        ),
        *SESSIONS.columns[-2:],
    ),
)
RUNS_WITH_DETAILS = replace(
    TRAINING_RUNS,
    brief=("training_run_id", "display_name", "base_model", "status", "checkpoints_count", "size_gb", "last_step"),
    columns=(
        *TRAINING_RUNS.columns[:-2],
        Column("display_name", "text", "its session's name; free text, not unique"),
        Column("status", "category", "its session's state; NA if not known", categories=SESSION_STATUSES),
        Column("created_at", "time", "its session was created, UTC; a run has no such time of its own"),
        Column("checkpoints_count", "int", "number of its checkpoints"),
        Column("size_bytes", "int", "total size of its checkpoints in bytes, as far as sizes are given"),
        Column("size_gb", "float", "the same in gigabytes (10^9 bytes)", live=derived.gigabytes("size_bytes")),
        _storage_cost(),
        Column("last_step", "int", "the highest step of its checkpoints"),
        Column("has_final", "bool", "whether it has a checkpoint named `final`"),
        *TRAINING_RUNS.columns[-2:],
    ),
)


# What is as true of a checkpoint as of its run or session; the inventory has other columns of theirs under a prefix.
SHARED = ("base_model", "is_lora", "lora_rank", "display_name", "project_id")


def _joined(table: Table, prefix: str) -> list[Column]:
    """Return a table's columns as they join the inventory: those in `SHARED` under their own name, others with the prefix."""
    added = [
        replace(column, doc=f"{prefix}: {column.doc}")
        if column.name in SHARED
        else replace(column, name=f"{prefix}_{column.name}")
        for column in table.columns
        if not column.name.startswith(("last_checkpoint", "last_sampler"))
        and column.name not in ("training_run_id", "session_id", "storage_usd_month")
    ]  # fmt: skip
    return [replace(column, derive=None, live=None, required=False, default=None) for column in added]


def _inventory() -> Table:
    own = [*CHECKPOINTS.columns]
    runs = [c for c in _joined(TRAINING_RUNS, "run") if c.name != "base_model"]
    return Table(
        name="inventory",
        row="one row per checkpoint, with its run's and session's columns",
        key="tinker_path",
        brief=("tinker_path", "display_name", "base_model", "size_gb", "public", "age_days", "expires_in_days"),
        columns=(*own, *runs, *_joined(SESSIONS, "session")),
    )


# What `find()` returns.
FOUND = Table(
    name="found",
    row="one row per session, training run or checkpoint",
    key="id",
    brief=("table", "id", "display_name", "base_model", "size_gb", "time"),
    columns=(
        Column("table", "category", "the table that it is a row of", categories=("sessions", "training_runs", "checkpoints")),
        Column("id", "text", "its session id, training run id or tinker path"),
        Column("display_name", "text", "the name of its session"),
        Column("session_id", "text", "its session"),
        Column("training_run_id", "text", "its training run; NA for a session"),
        Column("tinker_path", "text", "its path; NA for sessions and runs"),
        Column("base_model", "text", "the base model; NA if the server does not give it"),
        Column("size_gb", "float", "size in gigabytes (10^9 bytes); of a session, of all its checkpoints"),
        Column("time", "time", "created, UTC; of a training run, last used"),
        Column("user_metadata", "json", "the user's metadata as JSON text; `df.tinker.expand_metadata()` makes columns of it"),
    ),
)  # fmt: skip

EVENT_TYPES = ("training", "sampling_prefill", "sampling_sample", "checkpoint", "storage")

# What `usage()` returns.
USAGE = Table(
    name="usage",
    row="one row per billing event: what was used of one kind in one UTC hour, of one session or of storage",
    key="",
    source="GET /api/v1/billing/usage/events",
    path="/api/v1/billing/usage/events",
    items="data",
    brief=("bucket_start", "event_type", "display_name", "user_name", "base_model", "token_count", "estimated_cost_usd"),
    columns=(
        Column("bucket_start", "time", "the beginning of the hour, UTC", required=True),
        Column("bucket_end", "time", "its end, UTC, not included"),
        Column("event_type", "category", "what was used", source="event_info.type", categories=EVENT_TYPES),
        Column("base_model", "text", "the model; NA for storage"),
        Column("user_id", "text", "who used it (a URN)"),
        Column("user_name", "text", "that person's name"),
        Column("project_id", "text", "the project"),
        Column("session_id", "text", "the session; NA for storage, which has none"),
        Column("display_name", "text", "the session's name; free text, not unique", derive=derived.leave_empty("text")),
        Column("token_count", "int", "number of tokens; NA where none are counted", source="event_info.token_count"),
        Column("cached", "bool", "of `sampling_prefill`: whether the tokens came from the cache", source="event_info.cached"),
        Column("count", "int", "of `checkpoint`: number of checkpoints saved", source="event_info.count"),
        Column("gigabyte_hours", "float", "of `storage`: gigabytes (10^9 bytes) times hours", source="event_info.gigabyte_hours"),
        Column("free", "bool", "of `storage`: whether it is not charged", source="event_info.free"),
        Column("estimated_cost_usd", "float", "dollars before credits, an estimate and no invoice; NA: not priced, which is not zero"),
        Column("effective_rate_usd_per_million_tokens", "float", "dollars per million tokens"),
        Column("effective_rate_usd_per_gigabyte_month", "float", "of `storage`: dollars per gigabyte and month of 720 hours"),
        Column("invoiced", "bool", "whether the cost comes from invoices, not from list prices", derive=derived.leave_empty("bool")),
        Column("user_metadata", "json", "the session's metadata as JSON text", derive=derived.leave_empty("json")),
        _extra(),
    ),
)  # fmt: skip

# What `storage()` returns.
STORAGE = Table(
    name="storage",
    row="one row per project and owner: what their checkpoints take up now",
    key="",
    source="GET /api/v1/billing/usage/checkpoints/current",
    path="/api/v1/billing/usage/checkpoints/current",
    items="data",
    brief=("project_id", "user_name", "checkpoint_count", "size_gb", "estimated_monthly_cost_usd"),
    columns=(
        Column("project_id", "text", "the project"),
        Column("org_user_urn", "text", "the owner of the sessions (a URN)"),
        Column("user_email", "text", "the owner's address"),
        Column("user_name", "text", "the owner's name"),
        Column("checkpoint_count", "int", "number of checkpoints", required=True),
        Column("size_bytes", "int", "their size in bytes", required=True),
        Column("size_gb", "float", "the same in gigabytes (10^9 bytes), as the server rounds it", source="size_gigabytes"),
        Column("estimated_monthly_cost_usd", "float", "projected dollars a month; NA: not priced, which is not zero"),
        Column("effective_rate_usd_per_gigabyte_month", "float", "the rate for all rows; NA if the server gives none", derive=derived.leave_empty("float")),
        _extra(),
    ),
)  # fmt: skip

# What `costs()` returns beside the columns of its groups.
COSTS = Table(
    name="costs",
    row="one row per group of billing events, the most expensive first; by time first, in the order of time",
    key="",
    columns=(
        Column("events", "int", "number of events"),
        Column("cost_usd", "float", "dollars of the events that are priced; NA if none is"),
        Column("unpriced_events", "int", "number of events without a price, which are not in any sum of dollars"),
        Column("tokens", "int", "number of tokens; NA if none were counted"),
        Column("training_usd", "float", "dollars of `training`, of the events that are priced; NA if none is"),
        Column("sampling_usd", "float", "the same of `sampling_prefill` and `sampling_sample`"),
        Column("checkpoint_usd", "float", "the same of `checkpoint`, which is saving them"),
        Column("storage_usd", "float", "the same of `storage`, as it was billed; it has no session, run or model"),
        Column("other_usd", "float", "the same of types of events that this version does not know"),
        Column("estimated_storage_usd_month", "float", "an estimate beside what was billed: dollars a month for the checkpoints that the group has now, their bytes, as far as sizes are known, times the server's rate"),
    ),
)  # fmt: skip

INVENTORY = _inventory()
BILLING = {table.name: table for table in (USAGE, STORAGE, COSTS)}
DETAILED = {table.name: table for table in (SESSIONS_WITH_DETAILS, RUNS_WITH_DETAILS)}
TABLES = {table.name: table for table in (SESSIONS, TRAINING_RUNS, CHECKPOINTS, SAMPLERS, INVENTORY)}


# Short names, as the command line has them: `runs` are the training runs.
SHORT_NAMES = {name.removeprefix("training_"): name for name in TABLES}


def known_columns() -> dict[str, Column]:
    """Return every column of every table by name; a name means one kind wherever it stands."""
    return {c.name: c for table in (*BILLING.values(), *TABLES.values(), *DETAILED.values()) for c in table.columns}


def find_column(name: str) -> Column | None:
    """Return the declaration of a column by its name; None for one that the catalog does not know."""
    return None if name.startswith("meta.") else known_columns().get(name)
