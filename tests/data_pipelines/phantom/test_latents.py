"""Latents: every eye is a function of its index, and the mixture is as intended."""

import dataclasses

import numpy as np

from data_pipelines.phantom import latents
from data_pipelines.phantom.eye import Eye, eyes_of


def test_the_first_eyes_are_the_same_for_any_number():
    few, many = latents.eyes_of(3, 11), latents.eyes_of(3, 40)
    assert many[:11] == few
    assert len(set(many)) == 40


def test_an_eye_is_a_function_of_seed_and_index():
    patient, side = latents.eyes_of(5, 9)[8]
    assert latents.draw(5, patient, side) == latents.draw(5, patient, side)
    assert latents.draw(5, patient, side) != latents.draw(6, patient, side)


def test_no_field_of_the_latents_is_constant():
    drawn = [dataclasses.asdict(eye.latents) for eye in eyes_of(0, 30)]
    for name in drawn[0]:
        assert len({repr(d[name]) for d in drawn}) > 1, name


def test_some_patients_have_both_eyes_and_these_are_alike():
    eyes = eyes_of(0, 600)
    by_patient: dict[int, list[Eye]] = {}
    for eye in eyes:
        by_patient.setdefault(eye.patient, []).append(eye)
    pairs = [p for p in by_patient.values() if len(p) == 2]
    assert 0.2 < len(pairs) / len(by_patient) < 0.4
    radii = np.array([[e.latents.disc_radius for e in pair] for pair in pairs])
    assert 0.6 < np.corrcoef(radii.T)[0, 1] < 0.95
    assert all(a.latents.glaucoma == b.latents.glaucoma for a, b in pairs)


def test_half_of_the_eyes_have_glaucoma_even_in_a_small_set():
    for seed in range(4):
        share = np.mean([eye.latents.glaucoma for eye in eyes_of(seed, 100)])
        assert 0.4 < share < 0.6


def test_only_glaucoma_progresses():
    eyes = eyes_of(1, 40)
    for eye in eyes:
        later = latents.at_visit(eye.latents, 5)
        assert later.age == eye.latents.age + 2.0
        if eye.latents.glaucoma:
            assert later.severity > eye.latents.severity
        else:
            assert later.severity == 0
