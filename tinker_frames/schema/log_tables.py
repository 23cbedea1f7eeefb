"""The frames of training logs as data: what a row of each is, and its columns; `catalog` has the tables of an account. Pure."""

from __future__ import annotations

from .columns import Column, Table

LOG_RUNS = Table(
    name="runs",
    row="one row per log folder, with a column for each setting of `config.json`, nested ones as `dataset_builder.batch_size`",
    key="log_path",
    columns=(
        Column("log_path", "text", "the folder, absolute, or its URL"),
        Column("name", "text", "the folder's own name"),
        Column("training_run_id", "text", "the training run that wrote last, by the paths in `checkpoints.jsonl`"),
        Column("parent_path", "text", "what it was started from: `load_checkpoint_path` of `config.json`"),
        Column("checkpoints", "int", "number of lines of `checkpoints.jsonl`"),
        Column("last_step", "int", "the highest step in the metrics"),
    ),
)
LOG_CHECKPOINTS = Table(
    name="checkpoints",
    row="one row per line of `checkpoints.jsonl`",
    key="",
    columns=(
        Column("log_path", "text", "the folder, absolute, or its URL"),
        Column("name", "text", "the checkpoint's name"),
        Column("step", "int", "the step that its metrics are read at; NA if the log does not tell"),
        Column("batch", "int", "the batch, within its epoch"),
        Column("epoch", "int", "the epoch, from 0"),
        Column("final", "bool", "whether it was saved at the end"),
        Column("training_run_id", "text", "the run, by its paths"),
        Column("state_path", "text", "the tinker path of its training state"),
        Column("sampler_path", "text", "the tinker path of its weights for samplers"),
        Column("extra", "json", "the other fields of its line"),
    ),
)
LOG_METRICS = Table(
    name="metrics",
    row="one row per folder, step and metric",
    key="",
    columns=(
        Column("log_path", "category", "the folder, absolute, or its URL"),
        Column("step", "int", "the step; NA for what was logged without one"),
        Column("metric", "category", "its name"),
        Column("value", "float", "its value, NaN and infinite ones as they were logged"),
    ),
)
LOG_PROBLEMS = Table(
    name="problems",
    row="one row per folder, file and kind of problem",
    key="",
    columns=(
        Column("log_path", "text", "the folder"),
        Column("file", "text", "the file, or `folder`"),
        Column("problem", "text", "what could not be read as it is"),
        Column("rows", "int", "number of lines or values"),
        Column("example", "text", "the first of them"),
    ),
)
LOG_TABLES = {table.name: table for table in (LOG_RUNS, LOG_CHECKPOINTS, LOG_METRICS, LOG_PROBLEMS)}
