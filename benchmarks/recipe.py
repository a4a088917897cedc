"""Measures the default recipe of IMO: one setting changed at a time, several seeds each.

    python -m benchmarks.recipe --out=runs/recipe --seeds=3

Every run is a `python -m experiments.imo` of its own, of 700 steps. Runs
that are finished are kept, so the study can be stopped and started again. It ends by writing
recipe.md and recipe.csv (a table) and curves.png (validation score by step) to --out.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from imo_jax.atomic_files import write_json, write_picture, write_table, write_text
from imo_jax.report.seed_means import markdown
from imo_jax.visualisation.plots import learning_curves

# What the default recipe was found from: its settings when the study was made.
BASE = (
    "--region=photograph", "--image_size=160", "--crop_size=160",
    "--signal_scale=0.1", "--self_aligned=0", "--dice_weight=1", "--train_steps=700",
    "--eval_every=175", "--save_every=175",
)  # fmt: skip
# Name -> flags that differ from BASE.
VARIANTS: dict[str, tuple[str, ...]] = {
    "base": (),
    "signal_scale=0.01": ("--signal_scale=0.01",),
    "signal_scale=0.3": ("--signal_scale=0.3",),
    "signal_scale=1": ("--signal_scale=1",),
    "self_aligned=0.5": ("--self_aligned=0.5",),
    "dice_weight=0": ("--dice_weight=0",),
}
METRICS = ("disc_dice", "cup_dice", "micro_mdice", "vcdr_mae", "qwk")
SUMMARY, VALIDATION = "eval/summary.json", "validation.csv"  # in the folder of a run


def folder_of(out: pathlib.Path, name: str, seed: int) -> pathlib.Path:
    return out / f"{name}-seed{seed}"


def run_one(out: pathlib.Path, name: str, seed: int, more: list[str]) -> None:
    """Trains and evaluates one variant with one seed, unless that is done."""
    folder = folder_of(out, name, seed)
    if (folder / SUMMARY).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "experiments.imo", f"--workdir={folder}", f"--seed={seed}",
        "--overlays=0", *BASE, *VARIANTS[name], *more,
    ]  # fmt: skip
    started = time.monotonic()
    with (folder / "log.txt").open("a") as log:
        done = subprocess.run(command, stdout=log, stderr=log)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed, see {folder / 'log.txt'}")
    write_json(folder / "seconds.json", time.monotonic() - started)
    print(f"{name} seed {seed}: {time.monotonic() - started:.0f} s", flush=True)


def collect(out: pathlib.Path, names: list[str], seeds: int) -> pd.DataFrame:
    """One row a finished run: test metrics, the two controls' disc and cup Dice, validation."""
    rows = []
    for name in names:
        for seed in range(seeds):
            folder = folder_of(out, name, seed)
            if (folder / SUMMARY).exists():
                rows.append({"variant": name, "seed": seed, **_row(folder)})
    return pd.DataFrame(rows)


def _row(folder: pathlib.Path) -> dict[str, float]:
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    row = {metric: summary[metric]["value"] for metric in METRICS}
    for control, scores in summary["controls"].items():
        shapes = [scores[metric]["value"] for metric in ("disc_dice", "cup_dice")]
        row[control] = float(np.mean(shapes))
    row["shapes"] = (row["disc_dice"] + row["cup_dice"]) / 2
    row["validation"] = float(pd.read_csv(folder / VALIDATION)["score"].max())
    return row


def as_markdown(rows: pd.DataFrame) -> str:
    """Mean ± standard deviation over the seeds of each variant."""
    columns = ["validation", *METRICS, "shapes", "one_step", "x_t_zeroed"]
    lines = []
    for name, group in rows.groupby("variant", sort=False):
        cells = [
            f"{group[c].mean():.3f}" + (f" ± {group[c].std():.3f}" if len(group) > 1 else "")
            for c in columns
        ]
        lines.append([str(name), str(len(group)), *cells])
    return markdown(["variant", "seeds", *columns], lines)


def curves(out: pathlib.Path, names: list[str], seeds: int) -> np.ndarray:
    """Validation shape scores and kappa by step, means over the seeds."""
    panels: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for title, metrics in (("disc and cup Dice", ["disc_dice", "cup_dice"]), ("kappa", ["qwk"])):
        panels[title] = {}
        for name in names:
            files = [folder_of(out, name, seed) / VALIDATION for seed in range(seeds)]
            logs = [pd.read_csv(file) for file in files if file.exists()]
            if logs:
                mean = pd.concat(logs).groupby("step")[metrics].mean().mean(axis=1)
                panels[title][name] = (mean.index.to_numpy(), mean.to_numpy())
    return learning_curves(panels)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/recipe"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="variants; default: all")
    parser.add_argument("--collect", action="store_true", help="only gather what is finished")
    options, more = parser.parse_known_args(arguments)
    names = options.only or list(VARIANTS)
    if not options.collect:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            runs = [
                pool.submit(run_one, options.out, name, seed, more)
                for seed in range(options.seeds)
                for name in names
            ]
            for run in concurrent.futures.as_completed(runs):
                run.result()
    rows = collect(options.out, names, options.seeds)
    text = as_markdown(rows)
    write_text(options.out / "recipe.md", text + "\n")
    write_table(options.out / "recipe.csv", rows)
    write_picture(options.out / "curves.png", curves(options.out, names, options.seeds))
    print(text)


if __name__ == "__main__":
    main()
