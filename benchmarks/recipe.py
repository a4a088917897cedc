"""Measures the settings of IMO: one changed at a time, several seeds each.

    python -m benchmarks.recipe --study=choices --out=runs/choices --seeds=3

Every run is a `python -m experiments.imo` of its own; those of a seed share the locator of its base, where there is one. Runs
that are finished are kept, so the study can be stopped and started again. It ends by writing
recipe.md and recipe.csv (tables) and curves.png (validation score by step) to --out.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from benchmarks.differences import BY_EYE, KAPPA, differences, read
from imo_jax.atomic_files import write_json, write_picture, write_table, write_text
from imo_jax.report.seed_means import cell, markdown
from imo_jax.visualisation.plots import learning_curves

BASE = "base"


@dataclasses.dataclass(frozen=True)
class Study:
    """What is measured.

    Attributes:
      base: flags of every run.
      variants: name -> flags that differ from them.
      two_stages: whether there is a locator for a seed's runs to share.
    """

    base: tuple[str, ...]
    variants: dict[str, tuple[str, ...]]
    two_stages: bool

    @property
    def names(self) -> list[str]:
        return [BASE, *self.variants]

    def flags(self, name: str) -> tuple[str, ...]:
        return (*self.base, *self.variants.get(name, ()))


STUDIES = {
    # How the default recipe was found: from its settings at that time.
    "diffusion": Study(
        base=(
            "--region=photograph", "--image_size=160", "--crop_size=160",
            "--signal_scale=0.1", "--self_aligned=0", "--dice_weight=1", "--train_steps=700",
            "--eval_every=175", "--save_every=175",
        ),
        variants={
            flag: (f"--{flag}",)
            for flag in (
                "signal_scale=0.01", "signal_scale=0.3", "signal_scale=1", "self_aligned=0.5",
                "dice_weight=0",
            )
        },
        two_stages=False,
    ),
    # What the default recipe chose, each choice undone or made otherwise.
    "choices": Study(
        base=("--train_steps=500", "--eval_every=500", "--save_every=500", "--warmup_steps=50",
              "--eval_samples=1"),
        variants={
            "the grade's whole gradient": ("--grade_gradient=1",),
            "the grade's gradient stopped": ("--grade_gradient=0",),
            "the grade's gradient projected": ("--grade_gradient=1", "--grade_gives_way"),
            "the grade sees no shapes": ("--nograde_shapes",),
            "ordinal loss of the grade": ("--grade_loss=ordinal",),
            "no grade": ("--nograde", "--best_metric=shapes"),
            "shapes at stride 2": ("--fine_stride=2",),
            "no convolution of the merged map": ("--nomerged_conv",),
            "labels at the grid's corners": ("--label_grid=corner",),
            "no Dice of the auxiliary head": ("--auxiliary_dice_weight=0",),
            "the auxiliary head averaged in": ("--auxiliary_share=0.5",),
            "self-aligned": ("--self_aligned=0.5",),
            "a single pass": ("--refine=single",),
            "a single pass, thrice as deep": ("--refine=single", "--decoder_layers=6"),
        },
        two_stages=True,
    ),
}  # fmt: skip
METRICS = ("disc_dice", "cup_dice", "micro_mdice", "vcdr_mae", "qwk")
CONTROLS = ("one_step", "x_t_zeroed")  # whose shapes are shown
WITHHELD = "qwk, OCT withheld"
DIFFERENCES = (*BY_EYE, KAPPA)
SUMMARY, VALIDATION = "eval/summary.json", "validation.csv"  # in the folder of a run


def folder_of(out: pathlib.Path, name: str, seed: int) -> pathlib.Path:
    return out / f"{name.replace(' ', '_')}-seed{seed}"


def run_one(out: pathlib.Path, study: Study, name: str, seed: int, more: list[str]) -> None:
    """Trains and evaluates one variant with one seed, unless that is done."""
    folder = folder_of(out, name, seed)
    if (folder / SUMMARY).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "experiments.imo", f"--workdir={folder}", f"--seed={seed}",
        "--overlays=0", *study.flags(name), *more,
    ]  # fmt: skip
    if study.two_stages and name != BASE:
        command.append(f"--locator={folder_of(out, BASE, seed)}")
    started = time.monotonic()
    with (folder / "log.txt").open("a") as log:
        done = subprocess.run(command, stdout=log, stderr=log)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed, see {folder / 'log.txt'}")
    write_json(folder / "seconds.json", time.monotonic() - started)
    print(f"{name} seed {seed}: {time.monotonic() - started:.0f} s", flush=True)


def finished(out: pathlib.Path, name: str, seeds: int) -> list[pathlib.Path]:
    """The folders of a variant's evaluated runs."""
    folders = [folder_of(out, name, seed) for seed in range(seeds)]
    return [folder for folder in folders if (folder / SUMMARY).exists()]


def collect(out: pathlib.Path, names: list[str], seeds: int) -> pd.DataFrame:
    """One row a finished run: test metrics, the two controls' disc and cup Dice, validation."""
    return pd.DataFrame(
        {"variant": name, "seed": int(folder.name.rpartition("seed")[2]), **_row(folder)}
        for name in names
        for folder in finished(out, name, seeds)
    )


def _row(folder: pathlib.Path) -> dict[str, float]:
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    row = {metric: _value(summary, metric) for metric in METRICS}
    controls = summary["controls"]
    row[WITHHELD] = _value(controls.get("oct_withheld", {}), "qwk")
    row["shapes"] = _shapes(summary)
    row |= {control: _shapes(controls.get(control, {})) for control in CONTROLS}
    row["validation"] = float(pd.read_csv(folder / VALIDATION)["score"].max())
    return row


def _value(summary: dict, metric: str) -> float:
    """A metric's value; NaN where a run has none."""
    return (summary.get(metric) or {"value": np.nan})["value"]


def _shapes(summary: dict) -> float:
    return float(np.mean([_value(summary, "disc_dice"), _value(summary, "cup_dice")]))


def as_markdown(rows: pd.DataFrame) -> str:
    """Mean ± standard deviation over the seeds of each variant."""
    columns = ["validation", *METRICS, WITHHELD, "shapes", *CONTROLS]
    lines = []
    for name, group in rows.groupby("variant", sort=False):
        cells = [
            f"{group[c].mean():.3f}" + (f" ± {group[c].std():.3f}" if len(group) > 1 else "")
            for c in columns
        ]
        lines.append([str(name), str(len(group)), *(c.replace("nan", "-") for c in cells)])
    return markdown(["variant", "seeds", *columns], lines)


def against_base(out: pathlib.Path, names: list[str], seeds: int) -> str:
    """Each variant minus the base on the same eyes, over the seeds that both have."""
    lines: list[list[str]] = []
    for name in names:
        both = [
            seed
            for seed in range(seeds)
            if all((folder_of(out, of, seed) / SUMMARY).exists() for of in (BASE, name))
        ]
        if name == BASE or not both:
            continue
        ours, base = (read([folder_of(out, of, s) / "eval" for s in both]) for of in (name, BASE))
        found = differences(ours, base)
        cells = [cell(found[c]["difference"], "+.3f") if c in found else "-" for c in DIFFERENCES]
        lines.append([name, *cells])
    return markdown(["variant - base", *DIFFERENCES], lines)


def curves(out: pathlib.Path, names: list[str], seeds: int) -> np.ndarray:
    """Validation shape scores and kappa by step, means over the seeds."""
    panels: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for title, metrics in (("disc and cup Dice", ["disc_dice", "cup_dice"]), ("kappa", ["qwk"])):
        panels[title] = {}
        for name in names:
            logs = [pd.read_csv(f / VALIDATION) for f in finished(out, name, seeds)]
            logs = [log for log in logs if set(metrics) <= set(log)]
            if logs:
                mean = pd.concat(logs).groupby("step")[metrics].mean().mean(axis=1)
                panels[title][name] = (mean.index.to_numpy(), mean.to_numpy())
    return learning_curves(panels)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recipe",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--study", choices=STUDIES, default="diffusion")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/recipe"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--only", nargs="*", help="variants beside the base; default: all")
    parser.add_argument("--collect", action="store_true", help="only gather what is finished")
    options, more = parser.parse_known_args(arguments)
    study = STUDIES[options.study]
    names = study.names if options.only is None else [BASE, *options.only]
    if unknown := sorted(set(names) - set(study.names)):
        parser.error(f"no such variant: {', '.join(unknown)}; there are {', '.join(study.names)}")
    if not options.collect:
        runs = [(name, seed) for seed in range(options.seeds) for name in names]
        # The bases first: the others of their seeds may use their locators.
        for part in ([r for r in runs if r[0] == BASE], [r for r in runs if r[0] != BASE]):
            with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
                work = [pool.submit(run_one, options.out, study, *run, more) for run in part]
                for done in concurrent.futures.as_completed(work):
                    done.result()
    rows = collect(options.out, names, options.seeds)
    if rows.empty:
        parser.error(f"{options.out} holds no finished run of {', '.join(names)}")
    text = f"{as_markdown(rows)}\n\n{against_base(options.out, names, options.seeds)}"
    write_text(options.out / "recipe.md", text + "\n")
    write_table(options.out / "recipe.csv", rows)
    write_picture(options.out / "curves.png", curves(options.out, names, options.seeds))
    print(text)


if __name__ == "__main__":
    main()
