"""The authors' weights from the command line: imported, predicted with, trained on, evaluated."""

import functools
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import small_run
from PIL import Image

import imo_jax
from imo_jax.checkpoints import Checkpoints, restore_variables
from imo_jax.models.imo import IMO

REFERENCE = pathlib.Path(__file__).resolve().parents[1] / "parity" / "imo_small.npz"
SETTINGS = (
    "--image_size=64", "--crop_size=64", "--crop_mode=none", "--oct_depth=16", "--oct_width=16",
    "--batch_size=2", "--eval_batch_size=4", "--eval_samples=2", "--bootstrap=50",
    "--train_steps=2", "--warmup_steps=1", "--eval_every=2", "--save_every=2", "--overlays=1",
)  # fmt: skip


def imo(cache, *arguments):
    done = small_run.run([sys.executable, "-m", "experiments.imo", *map(str, arguments)], cache,
                         timeout=600)  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_they_become_a_run_that_predicts_evaluates_and_trains_on(cache, phantom, tmp_path):
    workdir = tmp_path / "authors"
    run = (f"--workdir={workdir}", f"--manifest={phantom / 'manifest.csv'}", *SETTINGS)
    done = imo(cache, "--mode=import", f"--weights={REFERENCE}", *run)
    assert done.returncode == 0, done.stderr

    # The run computes what the authors' code computed.
    predictor = imo_jax.load(workdir)
    variables, step = restore_variables(workdir / "checkpoints")
    arrays = np.load(REFERENCE)
    image, volume = (jnp.asarray(arrays[name].transpose(0, 2, 3, 1)) for name in ("image", "oct"))
    model = predictor.settings.model
    encode = jax.jit(functools.partial(IMO(model).apply, train=False, method="encode"))
    found = encode(variables, image, volume)
    np.testing.assert_allclose(found["grade_logits"], arrays["grade_logits"], atol=2e-5)
    assert step == 0

    # The file itself predicts the same to the bit.
    photograph = np.asarray(Image.open(min((phantom / "fundus").glob("*.jpg"))))
    scan = np.load(min((phantom / "oct").glob("*.npy")))
    from_run = predictor.predict(photograph, scan)
    from_file = imo_jax.load(REFERENCE, image_size=64, samples=2).predict(photograph, scan)
    assert "came without measured errors" in from_file.calibrated_on
    assert from_run.answer.probabilities.shape == from_file.answer.probabilities.shape
    np.testing.assert_array_equal(
        imo_jax.load(REFERENCE, image_size=64, samples=2).predict(photograph).answer.probabilities,
        predictor.predict(photograph).answer.probabilities,
    )

    done = imo(cache, "--mode=eval", f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    summary = json.loads((workdir / "eval" / "summary.json").read_text())
    assert summary["checkpoint_step"] == 0 and summary["qwk"] is not None

    # The file's network is named by its own settings, as the run's config.json holds them.
    names = json.loads((workdir / "config.json").read_text())["model"]
    changed = {k: v for k, v in names.items() if v != json.loads(_released())[k]}
    flags = [f"--{k}={','.join(map(str, v)) if isinstance(v, list) else v}"
             for k, v in changed.items()]  # fmt: skip
    done = imo(cache, "--mode=train", "--preset=released", *run, *flags)
    assert done.returncode == 0, done.stderr
    with Checkpoints(workdir / "checkpoints", read_only=True) as checkpoints:
        assert checkpoints.steps() == [0, 2]


def _released():
    import dataclasses

    from imo_jax.models.imo import IMOConfig

    return json.dumps(dataclasses.asdict(IMOConfig()))


def test_what_cannot_be_imported_is_told_in_a_line(cache, tmp_path):
    workdir = f"--workdir={tmp_path / 'run'}"
    for arguments, words in (
        ((), "--weights=FILE"),
        (("--weights=absent.pth",), "absent.pth"),
        ((f"--weights={REFERENCE}", "--norm_groups=7"), "norm_groups"),
        ((f"--weights={REFERENCE}", "--preset=default"), "--region=photograph"),
    ):
        done = imo(cache, "--mode=import", workdir, *arguments)
        assert done.returncode == 2 and words in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()
