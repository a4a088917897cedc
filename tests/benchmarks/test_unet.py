"""The U-Net to compare with: reading, loss, the clock, and a whole run on bright discs."""

import csv
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from monai.losses.dice import DiceCELoss
from PIL import Image

from benchmarks import unet, unet_training
from benchmarks.labelled_eyes import LabelledEyes, read_labelled_eyes
from benchmarks.unet_network import PhotographUNet, predict, use_faster_memory_format
from imo_jax.metrics.imo_summary import GRADING_KEYS, SEGMENTATION_KEYS

pytestmark = pytest.mark.parity

SMALL = (8, 8, 8, 8, 8, 8)
HEIGHT, WIDTH = 64, 96


def bright_disc(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A photograph whose rim is bright and whose cup is brighter, and its ids."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    row, column = rng.uniform(20, 44), rng.uniform(20, 76)
    distance = np.hypot(rows - row, columns - column)
    ids = ((distance < 18).astype(np.uint8) + (distance < 10)).astype(np.uint8)
    grey = np.array([40, 140, 240], np.uint8)[ids]
    return np.stack([grey, grey // 2, grey // 4], axis=-1), ids


@pytest.fixture(autouse=True)
def one_thread():
    """The arrays are too small to be shared out; several threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_set(folder, splits=("train",) * 8 + ("val",) * 2 + ("test",) * 3, mask_folder=None):
    rng = np.random.default_rng(0)
    rows = []
    for k, split in enumerate(splits):
        photograph, ids = bright_disc(rng)
        Image.fromarray(photograph).save(folder / f"{k}.png")
        Image.fromarray(ids).save((mask_folder or folder) / f"{k}_mask.png")
        rows.append([f"e{k}", f"p{k}", split, f"{k}.png", "", f"{k}_mask.png", ""])
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "patient", "split", "fundus", "oct", "mask", "grade"])
        writer.writerows(rows)
    return folder / "manifest.csv"


def discs(num: int, seed: int) -> LabelledEyes:
    """Eyes in memory, squeezed to 32 x 32."""
    pairs = [bright_disc(np.random.default_rng([seed, k])) for k in range(num)]
    photographs, masks = (np.stack(part)[:, ::2, ::3] for part in zip(*pairs, strict=True))
    names = [f"e{k}" for k in range(num)]
    return LabelledEyes(names, names, photographs, masks, list(photographs), list(masks))


def ticking(step: float = 1.0):
    """A clock that goes on by `step` seconds every time it is read."""
    now = iter(np.arange(0.0, 1e6, step))
    return lambda: float(next(now))


def test_reads_the_split_squeezed_into_a_square(tmp_path):
    eyes = read_labelled_eyes(write_set(tmp_path), "test", 32)
    assert eyes.ids == ["e10", "e11", "e12"] and eyes.patients == ["p10", "p11", "p12"]
    assert eyes.photographs.shape == (3, 32, 32, 3) and eyes.photographs.dtype == np.uint8
    assert eyes.masks.shape == (3, 32, 32) and set(np.unique(eyes.masks)) == {0, 1, 2}
    native = np.asarray(Image.open(tmp_path / "10_mask.png"))
    np.testing.assert_array_equal(eyes.native_masks[0], native)
    # Squeezing keeps where things are: the cup's centre in fractions of the picture.
    centres = [np.argwhere(m == 2).mean(axis=0) / m.shape for m in (eyes.masks[0], native)]
    np.testing.assert_allclose(*centres, atol=0.02)


def test_eyes_without_a_label_are_left_out(tmp_path):
    manifest = write_set(tmp_path, ("train", "train", "train", ""))
    manifest.write_text(manifest.read_text().replace("0_mask.png", ""))
    Image.fromarray(np.full((HEIGHT, WIDTH), 255, np.uint8)).save(tmp_path / "1_mask.png")
    assert read_labelled_eyes(manifest, "train", 32).ids == ["e2"]


@pytest.mark.parametrize("recorded", [False, True])
def test_files_are_also_found_under_data_root(tmp_path, recorded):
    folder, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    folder.mkdir(), elsewhere.mkdir()
    manifest = write_set(folder, ("train",), mask_folder=elsewhere)
    with pytest.raises(ValueError, match="0_mask.png: no such file"):
        read_labelled_eyes(manifest, "train", 32)
    if recorded:
        (folder / "manifest.json").write_text(json.dumps({"data_root": "../elsewhere"}))
    assert len(read_labelled_eyes(manifest, "train", 32, None if recorded else elsewhere)) == 1


def test_a_mask_that_holds_no_ids_is_refused(tmp_path):
    manifest = write_set(tmp_path, ("train",))
    Image.fromarray(np.full((HEIGHT, WIDTH), 128, np.uint8)).save(tmp_path / "0_mask.png")
    with pytest.raises(ValueError, match=r"0_mask.png.*\[128\]"):
        read_labelled_eyes(manifest, "train", 32)


def test_the_default_network_has_two_million_parameters():
    def pair(inputs, outputs):  # two 3x3 convolutions, each with a bias and an affine norm
        return 9 * (inputs + outputs) * outputs + 2 * 3 * outputs

    def up(inputs, outputs):  # 2x2 transposed convolution with a bias
        return 4 * inputs * outputs + outputs

    encoder = pair(3, 32) + pair(32, 32) + pair(32, 64) + pair(64, 128) + pair(128, 256)
    decoder = (
        up(256, 128) + pair(256, 128) + up(128, 64) + pair(128, 64) + up(64, 32) + pair(64, 32)
        + up(32, 32) + pair(64, 32) + 33 * 3
    )  # fmt: skip
    assert encoder + decoder == 1_979_075
    assert PhotographUNet().num_parameters() == 1_979_075


def test_loss_is_monais_where_every_pixel_is_labelled():
    logits = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    ids = torch.randint(0, 3, (3, 16, 16), generator=torch.Generator().manual_seed(1))
    monai = DiceCELoss(include_background=False, batch=True, softmax=True, to_onehot_y=True)
    expected = monai(logits, ids[:, None])
    torch.testing.assert_close(unet_training.dice_ce(logits, ids), expected)


def test_ignored_pixels_count_in_neither_part_of_the_loss():
    logits = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ids = torch.randint(0, 3, (1, 8, 8), generator=torch.Generator().manual_seed(1))
    ids[:, 4:] = 255
    other = logits.clone()
    other[:, :, 4:] += torch.tensor([5.0, -3.0, 1.0]).reshape(3, 1, 1)
    loss = unet_training.dice_ce(logits, ids)
    torch.testing.assert_close(unet_training.dice_ce(other, ids), loss)
    torch.testing.assert_close(unet_training.dice_ce(logits[:, :, :4], ids[:, :4]), loss)


def test_mirroring_moves_photograph_and_mask_together():
    ids = torch.arange(16).reshape(1, 4, 4).repeat(64, 1, 1)
    photographs = (ids[:, None] / 16.0).repeat(1, 3, 1, 1)
    seen, labels = unet_training.augment(
        photographs, ids, torch.Generator().manual_seed(0), colour=False
    )
    torch.testing.assert_close(seen[:, 0] * 16.0, labels.float())
    flipped = (labels[:, 0, 0] == 3).float().mean().item()
    assert 0.3 < flipped < 0.7


def test_colour_jitter_changes_the_photograph_alone():
    eyes = discs(4, 0)
    photographs = torch.from_numpy(eyes.photographs).permute(0, 3, 1, 2) / 255.0
    ids = torch.from_numpy(eyes.masks).long()
    plain, colour = (
        unet_training.augment(photographs, ids, torch.Generator().manual_seed(0), colour=jitter)
        for jitter in (False, True)
    )
    torch.testing.assert_close(plain[1], colour[1])
    assert 0.01 < (plain[0] - colour[0]).abs().mean() < 0.2
    assert colour[0].min() >= 0.0 and colour[0].max() <= 1.0


def test_every_eye_is_seen_once_an_epoch():
    order = unet_training.index_batches(6, 4, seed=0)
    seen = np.concatenate([next(order) for _ in range(3)])
    assert sorted(seen[:6]) == sorted(seen[6:]) == list(range(6))
    other = np.concatenate([b for b, _ in zip(unet_training.index_batches(6, 4, 1), range(3))])
    assert (seen != other).any()


def test_the_clock_rules_steps_rate_and_validation(monkeypatch):
    rates = []
    monkeypatch.setattr(
        unet_training, "_step", lambda model, optimiser, rate, *rest: rates.append(rate) or 0.5
    )
    scores = iter([0.2, 0.6, 0.4, 0.3])
    monkeypatch.setattr(unet_training, "validation_score", lambda model, eyes: next(scores))
    settings = unet_training.Settings(seconds=100.0, learning_rate=0.1)
    done = unet_training.train(
        PhotographUNet(SMALL), discs(2, 0), discs(1, 1), settings, clock=ticking()
    )
    # One second a step, one second a validation; at 30 s, 30 s after its end, ..., and at the end.
    assert [v.elapsed for v in done.validations] == [30.0, 61.0, 92.0, 100.0]
    assert done.steps == len(rates) == 97 and done.validation_seconds == 4.0
    assert rates[0] == 0.1 and rates[25] == pytest.approx(0.1 * 0.75**0.9)
    assert rates == sorted(rates, reverse=True)


def test_training_learns_and_keeps_the_best_weights(monkeypatch):
    monkeypatch.setattr(unet_training, "VALIDATE_SECONDS", 10.0)
    torch.manual_seed(0)
    model, val = PhotographUNet(SMALL), discs(4, 1)
    before = unet_training.validation_score(model, val)
    settings = unet_training.Settings(seconds=60.0, learning_rate=1e-2)
    done = unet_training.train(model, discs(8, 0), val, settings, clock=ticking())
    best = max(v.score for v in done.validations)
    assert unet_training.validation_score(model, val) == pytest.approx(best, abs=1e-6)
    assert best > max(0.8, before)


def test_a_loss_that_is_not_finite_stops_the_training():
    model = PhotographUNet(SMALL)
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="eyes e"):
        unet_training.train(
            model, discs(2, 0), discs(1, 1), unet_training.Settings(10.0), clock=ticking()
        )


def test_the_memory_format_does_not_change_the_logits():
    torch.manual_seed(0)
    model, eyes = PhotographUNet(SMALL), discs(2, 0)
    logits = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model.use(memory_format)
        logits.append(torch.stack(list(predict(model, eyes.photographs))))
    torch.testing.assert_close(*logits, atol=1e-4, rtol=1e-4)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    assert use_faster_memory_format(model, 32) in ("channels first", "channels last")
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name])


def test_probabilities_come_at_the_native_size():
    logits = torch.zeros(3, 4, 4)
    logits[2, :, 2:] = 20.0
    probabilities = unet.native_probabilities(logits, (6, 10))
    assert probabilities.shape == (6, 10, 3) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, atol=1e-6)
    assert (probabilities[:, 7:].argmax(axis=-1) == 2).all()
    np.testing.assert_allclose(probabilities[:, 0], 1 / 3, atol=1e-6)


def test_one_command_trains_scores_and_writes(tmp_path, capsys):
    manifest, out = write_set(tmp_path), tmp_path / "out"
    torch.set_num_threads(2)
    code = unet.main([
        f"--manifest={manifest}", f"--out={out}", "--minutes=0.05", "--threads=1", "--size=32",
        "--batch=2", "--features=8,8,8,8,8,8", "--lr=0.01", "--augment", "--seed=3",
    ])  # fmt: skip
    assert code == 0
    summary = json.loads((out / "summary.json").read_text())
    assert set(SEGMENTATION_KEYS + GRADING_KEYS) < set(summary)
    assert summary["num_eyes"] == summary["num_eyes_with_mask"] == 3
    assert set(summary["disc_dice"]) == {"value", "low", "high"} and summary["qwk"] is None
    about = summary["run"]
    assert about["threads"] == torch.get_num_threads() == 1
    assert about["size"] == 32 and about["features"] == list(SMALL)
    assert about["training"]["steps"] > 0 and about["images_per_second"] > 0
    assert about["settings"] == {
        "seconds": 3.0, "batch": 2, "learning_rate": 0.01, "colour": True, "seed": 3
    }  # fmt: skip
    with (out / "per_eye.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["e10", "e11", "e12"]
    mean = np.mean([float(row["dice_disc"]) for row in rows])
    assert mean == pytest.approx(summary["disc_dice"]["value"])
    assert "whole-disc Dice" in capsys.readouterr().out


def test_bad_input_is_told_and_nothing_written(tmp_path, capsys):
    manifest = write_set(tmp_path, ("train", "train", "test"))
    assert unet.main([f"--manifest={manifest}", f"--out={tmp_path / 'out'}"]) == 1
    assert "no eye with a mask in split val" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit):
        unet.main([f"--manifest={manifest}", "--out=x", "--size=100"])
