"""Rows of measurements as JSON lines and as a table."""

import json
import pathlib
from typing import Any

from benchmarks.speed.task import Task

# Of every line, in this order; more may follow.
KEYS = (
    "commit", "device", "versions", "what", "impl", "size", "batch", "precision", "median_s",
    "p10_s", "p90_s", "peak_bytes", "flops",
)  # fmt: skip
COLUMNS = (
    "impl", "size", "batch", "steps", "samples", "median", "p10", "p90", "jax/this", "peak GB",
    "GFLOP", "of matmul",
)  # fmt: skip


def complete(row: dict[str, Any], task: Task, commit: str) -> dict[str, Any]:
    """A row of `measure` with what it is about, KEYS first."""
    about = {
        "commit": commit,
        "what": task.what,
        "size": task.size,
        "batch": task.batch,
        "precision": task.precision,
        "model": task.model,
        "config": task.config,
        "steps": task.steps,
        "samples": task.samples,
        "compile_mode": task.compile_mode,
    }
    merged = about | row
    return {key: merged[key] for key in KEYS} | merged


def append_lines(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    """Adds one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, allow_nan=False) + "\n")


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for reading; `of matmul` is the share of the measured ceiling of matrix products."""
    lines = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    flops, ceiling = row["flops"], row.get("ceiling_flops_per_s")
    share = flops / row["median_s"] / ceiling if flops and ceiling else None
    name = row["impl"] + (f" ({row['cache']})" if row.get("cache") else "")
    sampled = row["what"] == "sample"
    return (
        name,
        str(row["size"]),
        str(row["batch"]),
        str(row["steps"]) if sampled else "",
        str(row["samples"]) if sampled else "",
        *(_seconds(row[key]) for key in ("median_s", "p10_s", "p90_s")),
        _number(row.get("ratio"), "{:.2f}"),
        _number(row["peak_bytes"] and row["peak_bytes"] / 1e9, "{:.2f}"),
        _number(flops and flops / 1e9, "{:.1f}"),
        _number(share, "{:.0%}"),
    )


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
