"""The phantom's eyes in other grades, and what evaluations of them say."""

import csv
import json
import sys

import small_run

from data_pipelines.manifest.grades import grades_file

TWO = ("normal", "glaucoma")


def relabelled(phantom, name, names, grade_of):
    """A manifest of the phantom's eyes with other grades, beside its own."""
    with (phantom / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    for i, row in enumerate(rows):
        row["grade"] = grade_of(int(row["grade"]), i)
    path = phantom / name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    grades_file(path).write_text("\n".join(names))
    return path


def of_two_grades(phantom):
    """That of TWO."""
    return relabelled(phantom, "two.csv", TWO, lambda grade, i: min(grade, 1))


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def row_of(folder):
    with (folder / "per_eye.csv").open() as file:
        return next(csv.DictReader(file))


def program(cache, name, *arguments, **how):
    command = [sys.executable, "-m", f"experiments.{name}", *map(str, arguments)]
    done = small_run.run(command, cache, 600, **how)
    assert done.returncode == 0, done.stderr
    return done
