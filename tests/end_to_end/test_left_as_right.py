"""A training on left eyes seen as right ones is, to the bit, one on the right eyes that are their mirror
images; so are its scores."""

import json

import numpy as np
import pandas as pd
import pytest
import small_run
from PIL import Image

from imo_jax.checkpoints import restore_variables

SAME_SIDE = ("--left_as_right", "--noflip")
# What is mirrored is what the network is shown, and what it says: never mind what is inside.
STEPS = (
    "--train_steps=3", "--eval_every=3", "--save_every=3", "--nocrop_to_field", "--overlays=0",
    *small_run.PLAIN,
)  # fmt: skip


@pytest.fixture
def manifests(phantom, tmp_path):
    """Phantom eyes at the working sizes, every other one called a left eye; and the same eyes with
    those written as their mirror images, called right ones."""
    rows = pd.read_csv(phantom / "manifest.csv", dtype=str, keep_default_na=False)
    found = []
    for name, turned in (("eyes", False), ("twins", True)):
        folder = tmp_path / name
        folder.mkdir()
        table = rows.copy()
        table["eye"] = ["OS" if i % 2 == 0 else "OD" for i in range(len(rows))]
        for i, row in table.iterrows():
            step = -1 if turned and row["eye"] == "OS" else 1
            for column, resample in (("fundus", Image.Resampling.BILINEAR), ("mask", 0)):
                if row[column]:
                    picture = Image.open(phantom / row[column]).resize((64, 64), resample)
                    Image.fromarray(np.asarray(picture)[:, ::step]).save(folder / f"{column}{i}.png")
                    table.loc[i, column] = f"{column}{i}.png"
            if row["oct"]:
                volume = np.load(phantom / row["oct"])  # slices, depth, width
                cut = [slice(None, None, n // to) for n, to in zip(volume.shape, (4, 16, 16), strict=True)]
                volume = volume[tuple(cut)][:4, :16, :16]
                np.save(folder / f"{i}.npy", volume[:, :, ::step])
                table.loc[i, "oct"] = f"{i}.npy"
        if turned:
            table["eye"] = "OD"
        table.to_csv(folder / "manifest.csv", index=False)
        found.append(folder / "manifest.csv")
    return found


def test_a_training_on_left_eyes_is_one_on_their_right_twins(manifests, cache, tmp_path):
    folders = [tmp_path / "run", tmp_path / "run_on_twins"]
    said = []
    for folder, manifest in zip(folders, manifests, strict=True):
        command = small_run.command(folder, manifest, *STEPS, *SAME_SIDE)
        done = small_run.run(command, cache)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout + done.stderr)
    assert "left_as_right: 8 left eyes are seen mirrored, 8 right eyes as they are" in said[0]
    assert "left_as_right: 0 left eyes are seen mirrored, 16 right eyes as they are" in said[1]
    (one, _), (other, _) = (restore_variables(folder / "checkpoints") for folder in folders)
    leaves = [dict(flat(variables)) for variables in (one, other)]
    assert leaves[0].keys() == leaves[1].keys()
    for name, values in leaves[0].items():
        np.testing.assert_array_equal(values, leaves[1][name], err_msg=name)
    scores = [json.loads((folder / "eval" / "summary.json").read_text()) for folder in folders]
    for name in ("micro_mdice", "disc_dice", "cup_dice", "vcdr_mae", "qwk"):
        assert scores[0][name] == pytest.approx(scores[1][name], rel=1e-6), name
    for name in ("baseline", "controls"):
        assert scores[0][name].keys() == scores[1][name].keys()
    assert scores[0]["baseline"]["micro_mdice"] == scores[1]["baseline"]["micro_mdice"]


def flat(variables, path=""):
    """(name, array) of nested dicts of arrays."""
    for name, value in variables.items():
        where = f"{path}/{name}"
        yield from flat(value, where) if hasattr(value, "items") else [(where, np.asarray(value))]


def test_a_mirror_of_half_the_images_would_undo_it(phantom, cache, tmp_path):
    command = small_run.command(tmp_path / "run", phantom / "manifest.csv", "--left_as_right")
    done = small_run.run(command, cache)
    assert done.returncode == 2 and "give --noflip, too" in done.stderr
