import numpy as np
import pytest

from imo_jax.metrics import segmentation


def random_maps(seed, eyes=5, size=12):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 3, (2, eyes, size, size)).astype(np.uint8)


def test_confusion_by_hand_leaves_ignored_pixels_out():
    truth = np.array([[0, 1, 2, 255], [0, 1, 2, 255]], np.uint8)
    predicted = np.array([[0, 1, 1, 2], [1, 1, 2, 0]], np.uint8)
    expected = [[1, 1, 0], [0, 2, 0], [0, 1, 1]]
    np.testing.assert_array_equal(segmentation.pixel_confusion(predicted, truth), expected)


def test_micro_dice_by_hand():
    # Two eyes, areas summed before dividing: rim 2*(1+6) / ((2+6) + (2+8)).
    eyes = np.array([np.diag([4, 1, 0]), np.diag([2, 6, 0])])
    eyes[0, 0, 1], eyes[0, 1, 0], eyes[1, 1, 0] = 1, 1, 2
    total = eyes.sum(axis=0)
    background, rim, cup = segmentation.micro_dice(total)
    assert background == 2 * 6 / (7 + 9) and rim == 2 * 7 / (8 + 10) and np.isnan(cup)
    assert segmentation.micro_mdice(total) == (background + rim) / 2
    assert rim != np.mean([segmentation.micro_dice(eye)[1] for eye in eyes])


def test_micro_dice_is_the_f1_of_pixels():
    f1_score = pytest.importorskip("sklearn.metrics").f1_score
    predicted, truth = random_maps(0)
    total = sum(segmentation.pixel_confusion(p, t) for p, t in zip(predicted, truth, strict=True))
    expected = f1_score(truth.ravel(), predicted.ravel(), average=None)
    np.testing.assert_allclose(segmentation.micro_dice(total), expected)
    np.testing.assert_allclose(segmentation.micro_mdice(total), expected.mean())


def test_whole_disc_is_rim_and_cup():
    truth = np.array([[0, 1, 2, 2]], np.uint8)
    predicted = np.array([[1, 2, 1, 0]], np.uint8)
    matrix = segmentation.pixel_confusion(predicted, truth)
    assert segmentation.region_dice(matrix, (1, 2)) == 2 * 2 / (3 + 3)
    assert segmentation.region_dice(matrix, (1,)) == 0
    perfect = segmentation.pixel_confusion(truth, truth)
    assert segmentation.region_dice(perfect, (1, 2)) == segmentation.region_dice(perfect, (2,)) == 1


def test_empty_regions():
    nothing, something = np.zeros((2, 2), np.uint8), np.full((2, 2), 2, np.uint8)
    for predicted, truth, expected in (
        (nothing, nothing, 1), (something, nothing, 0), (nothing, something, 0),
    ):  # fmt: skip
        matrix = segmentation.pixel_confusion(predicted, truth)
        assert segmentation.region_dice(matrix, (1, 2)) == expected


@pytest.mark.parity
def test_region_dice_against_monai():
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    predicted, truth = random_maps(1)
    both = [torch.as_tensor(x == 2)[:, None].float() for x in (predicted, truth)]
    expected = metrics.DiceMetric(reduction="none")(*both).numpy()[:, 0]
    matrices = np.stack(
        [segmentation.pixel_confusion(p, t) for p, t in zip(predicted, truth, strict=True)]
    )
    np.testing.assert_allclose(segmentation.region_dice(matrices, (2,)), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [(0, 128, r"truth has \[128\]"), (3, 0, r"prediction has \[3\]"), (-1, 0, r"\[-1\]")],
)
def test_foreign_ids_are_named(predicted, truth, message):
    with pytest.raises(ValueError, match=message):
        segmentation.pixel_confusion(np.full((2, 2), predicted), np.full((2, 2), truth))


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(2, 3\)"):
        segmentation.pixel_confusion(np.zeros((2, 2), int), np.zeros((2, 3), int))
