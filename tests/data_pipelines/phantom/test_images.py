"""Photograph, mask and volume of an eye: geometry agrees with the truth."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.phantom import anatomy, angles, camera, fundus, oct
from data_pipelines.phantom.eye import eyes_of

EYES = eyes_of(4, 6)


@pytest.fixture(scope="module")
def photographs():
    return [eye.photograph() for eye in EYES]


def extent(region: np.ndarray) -> int:
    rows = np.nonzero(region.any(axis=1))[0]
    return int(rows[-1] - rows[0] + 1)


def test_photograph_and_mask(photographs):
    for image, mask, quality in photographs:
        assert image.shape == (512, 512, 3) and image.dtype == np.uint8
        assert mask.shape == (512, 512) and mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1, 2}
        assert 70 < quality < 100
        # Dark outside the field of view; red within.
        assert image[:8, :8].max() < 10
        assert image[200:300, 200:300, 0].mean() > image[200:300, 200:300, 2].mean() + 20


def test_vcdr_of_the_mask_is_the_true_one(photographs):
    for eye, (_, mask, _) in zip(EYES, photographs, strict=True):
        disc, cup = extent(mask > 0), extent(mask == 2)
        true_disc = eye.first.shape.disc_height * camera.pixels_per_mm(eye.latents)
        assert abs(disc - true_disc) <= 1.0
        assert abs(cup - eye.first.shape.vcdr * true_disc) <= 1.0


def test_the_cup_is_surrounded_by_rim(photographs):
    for _, mask, _ in photographs:
        cup = mask == 2
        around = np.zeros_like(cup)
        for axis in (0, 1):
            for step in (-1, 1):
                around |= np.roll(cup, step, axis)
        # Whatever touches the cup is disc; a thin rim may be less than a pixel wide in places.
        assert (mask[around & ~cup] == 1).mean() > 0.97


def test_the_cup_is_brighter_than_the_rim_and_the_rim_than_the_fundus(photographs):
    for image, mask, _ in photographs:
        green = image[..., 1].astype(float)
        # Upper values: vessels crowd in a small cup.
        cup, rim = np.percentile(green[mask == 2], 90), np.percentile(green[mask == 1], 90)
        near = green[200:312, 200:312][mask[200:312, 200:312] == 0]
        assert cup > rim > np.percentile(near, 90)


def test_temporal_is_left_in_a_right_eye():
    for eye in EYES:
        taken = eye.camera
        place = camera.to_pixels(eye.latents, taken, np.array([[1.0, 0.0], [0.0, 1.0]]))
        assert (place[0, 0] < taken.centre[0]) == (eye.side == "OD")
        assert place[1, 1] < taken.centre[1]  # superior is up


def test_the_grid_inverts_the_projection():
    eye = EYES[0]
    grid = camera.make_grid(eye.latents, eye.camera, fundus.ALL, fundus.ALL)
    points = np.array([[grid.temporal[40, 300], grid.superior[40, 300]]])
    found = camera.to_pixels(eye.latents, eye.camera, points)
    np.testing.assert_allclose(found, [[300, 40]], atol=1e-3)


def test_each_modality_has_its_own_nuisance():
    """Another camera changes the photograph, not the volume; a second scan is another volume."""
    eye = EYES[1]
    np.testing.assert_array_equal(eye.volume(1, 1), eye.volume(1, 1))
    assert not np.array_equal(eye.volume(1, 1), eye.volume(1, 2))
    cameras = [e.camera for e in eyes_of(4, 200)]
    scanners = [oct.draw_scanner(e.stream("oct", 1, 1)) for e in eyes_of(4, 200)]
    shift = np.corrcoef([c.centre[1] for c in cameras], [s.centre[1] for s in scanners])[0, 1]
    assert abs(shift) < 0.25
    for name in (f.name for f in dataclasses.fields(camera.Camera)):
        assert len({repr(getattr(c, name)) for c in cameras}) > 1, name


def test_volume():
    volume = EYES[0].volume()
    assert volume.shape == (oct.SLICES, oct.DEPTH, oct.WIDTH) and volume.dtype == np.uint8


def ring_of(eye, visit=1):
    state = eye.visit(visit)
    scanner = oct.draw_scanner(eye.stream("oct", visit, 1))
    maps = oct.surfaces(state.latents, state.shape, scanner)
    radius = np.hypot(maps.temporal, maps.superior)
    degrees = np.rad2deg(np.arctan2(maps.superior, maps.temporal))
    return maps, np.abs(radius - anatomy.RING_RADIUS_MM) < 0.1, degrees


def test_the_layer_on_the_ring_has_the_true_thickness():
    for eye in EYES[:4]:
        maps, on_ring, degrees = ring_of(eye)
        thickness = (maps.boundaries[1] - maps.boundaries[0])[on_ring]
        truth = angles.lookup(eye.first.shape.rnfl, degrees[on_ring])
        np.testing.assert_allclose(thickness, truth, rtol=0.06)


def test_layers_are_in_order_and_a_larger_cup_lies_deeper():
    eye = EYES[0]
    maps, _, _ = ring_of(eye)
    outside = maps.inside == 0
    assert np.all(np.diff(maps.boundaries[:, outside], axis=0) > 0)
    scanner = oct.draw_scanner(np.random.default_rng(0))
    depths = []
    for ratio in (0.3, 0.6, 0.8):
        state = dataclasses.replace(eye.latents, cup_ratio=ratio)
        surface = oct.surfaces(state, anatomy.derive(state), scanner).boundaries[0]
        depths.append(float(surface.max()))
    assert depths[0] < depths[1] < depths[2]


def test_the_volume_shows_the_layer():
    """The bright band under the surface is thicker where the layer is."""
    eye = EYES[0]
    maps, on_ring, _ = ring_of(eye)
    volume = eye.volume().astype(float)
    depth = (np.arange(oct.DEPTH) + 0.5) * oct.UM_PER_PIXEL
    layer = []
    for s, w in np.argwhere(on_ring):
        top, bottom = maps.boundaries[:2, s, w]
        layer.append(volume[s, :, w][(depth > top) & (depth < bottom)])
    vitreous = volume[:, :10, :].mean()
    assert np.concatenate(layer).mean() > vitreous + 80
