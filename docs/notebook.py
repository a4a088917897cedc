"""Prediction in a notebook: each block is a cell. A test runs this file from top to bottom.

    RUN      folder of a trained run (`python -m experiments.imo` leaves runs/imo)
    SEMT     folder of a trained screening run (`python -m experiments.semt` leaves runs/semt)
    EYE      a fundus photograph; VOLUME: the OCT volume of the same eye
"""

import os

import numpy as np
from PIL import Image

RUN = os.environ.get("RUN", "runs/imo")
SEMT = os.environ.get("SEMT", "runs/semt")
EYE = os.environ.get("EYE", "data/phantom/fundus/p0000_OD.jpg")
VOLUME = os.environ.get("VOLUME", "data/phantom/oct/p0000_OD_v1_1.npy")
OUT = os.environ.get("OUT", "predictions")

# %% One eye from its files. The volume may be missing.
import imo_jax  # noqa: E402

predictor = imo_jax.load(RUN)
result = predictor.predict(EYE, VOLUME)
print(result)  # one line, as a person would say it
print(result.warnings)  # doubts about the input and about what was found; () = none

# %% The grade, and the grades that cannot be ruled out (None where too few eyes were measured).
print(result.grade, result.grade_probabilities)
print(result.grade_set)

# %% The shapes, at the photograph's own size: 0 background, 1 rim, 2 cup.
mask = result.mask
print(mask.shape, "disc pixels:", (mask > 0).sum(), "cup pixels:", (mask == 2).sum())
print("probability of the cup at its surest:", result.probabilities[..., 2].max())
print("most uncertain pixel:", result.entropy.max(), "nats of at most", np.log(3))

# %% The vertical cup-to-disc ratio with an interval that holds the true one in 9 of 10 eyes.
ratio = result.vertical_cdr
print(ratio.value, ratio.low, ratio.high, ratio.coverage)
print("errors measured on:", result.calibrated_on)

# %% The picture. In a notebook: Image.fromarray(result.overlay())
picture = Image.fromarray(result.overlay())
print(picture.size)

# %% What --mode=predict writes: mask, uncertainty, picture and JSON.
result.save(OUT)
print(sorted(os.listdir(OUT)))

# %% Arrays and many eyes at once; the mean with the mirrored eye.
photograph, volume = np.asarray(Image.open(EYE)), np.load(VOLUME)
for found in predictor.predict([photograph, photograph[::2, ::2]], [volume, None], mirror=True):
    print(found)

# %% Several runs (folds, seeds) as one predictor: the mean of what they say.
mean = imo_jax.load([RUN, RUN])
print(mean.predict(EYE).vertical_cdr)

# %% Screening: an OCT volume alone.
screening = imo_jax.load(SEMT)
said = screening.predict(VOLUME, eye="OD")
print(said.probability, said.visual_field)
print(said.activation_map.shape)
Image.fromarray(said.overlay())
said.save(OUT)
