"""The independent random quantities behind one eye, drawn without rendering anything.

Everything that the photograph, the volume and the visual field show of an eye's state follows from
these; what is nuisance to one modality alone is drawn by that modality from its own stream.
"""

import dataclasses
import math

import numpy as np
from scipy import special

# One stream of random numbers per purpose, so that changing one modality leaves the others alone.
STREAMS = {"patient": 0, "eye": 1, "vessels": 2, "fundus": 3, "oct": 4, "field": 5, "visit": 6}

GOLDEN = 0.6180339887498949

# Severity is the loss of axons in dB (10 log10 of the fraction left), averaged over the disc's most
# vulnerable directions; log-normal in eyes with glaucoma.
SEVERITY_MEDIAN_DB = 3.4
SEVERITY_SIGMA = 0.85
SEVERITY_RANGE_DB = (0.5, 26.0)
BOTH_EYES_PROBABILITY = 0.3


def stream(seed: int, patient: int, purpose: str, *more: int) -> np.random.Generator:
    """Generator that depends on nothing but its arguments."""
    return np.random.default_rng([seed, STREAMS[purpose], patient, *more])


@dataclasses.dataclass(frozen=True)
class Latents:
    """Independent latents of one eye. Lengths in mm, angles in degrees, losses in dB."""

    patient: int
    side: str  # "OD" right or "OS" left
    age: float  # years
    glaucoma: bool
    severity: float  # axon loss in dB; 0 in health
    progression: float  # further axon loss in dB a year
    hemifield: float  # > 0: inferior disc worse
    focal: tuple[tuple[float, float, float], ...]  # (angle, width, extra loss in dB) of defects
    function_gain: float  # visual-field loss in dB per dB of axon loss
    rim_gain: float  # rim loss in dB per dB of axon loss
    media_loss: float  # general depression of the field in dB (lens)
    hill: tuple[float, ...]  # (52,) individual deviations of the hill of vision in dB
    disc_radius: float  # vertical, mm
    disc_aspect: float  # height / width
    disc_rotation: float
    disc_wiggle: tuple[float, ...]
    cup_ratio: float  # vertical cup-to-disc ratio before any disease
    cup_shift: float  # of the cup to the temporal side, in disc radii
    cup_depth: float  # relative depth of the cup
    rnfl_gain: float  # nerve-fibre-layer loss in dB per dB of axon loss
    rnfl_floor: float  # share of the healthy thickness that is no axon and stays
    healthy_rnfl: float  # mean, micron on the ring before any disease
    hump_shift: tuple[float, float]  # of the superior and inferior maxima
    hump_gain: tuple[float, float]
    rnfl_wiggle: tuple[float, ...]
    fovea: tuple[float, float]  # temporal and superior of the disc centre, mm
    pigment: float  # 0 fair .. 1 dark
    optics: float  # magnification of the camera and eye, about 1


def sides_of(seed: int, patient: int) -> tuple[str, ...]:
    """The sides photographed of a patient: one, or both."""
    rng = stream(seed, patient, "patient")
    first = ("OD", "OS")[int(rng.integers(2))]
    if rng.random() < BOTH_EYES_PROBABILITY:
        return ("OD", "OS")
    return (first,)


def eyes_of(seed: int, eyes: int) -> list[tuple[int, str]]:
    """(patient, side) of the first `eyes` eyes; the list for fewer eyes is its beginning."""
    pairs: list[tuple[int, str]] = []
    patient = 0
    while len(pairs) < eyes:
        pairs.extend((patient, side) for side in sides_of(seed, patient))
        patient += 1
    return pairs[:eyes]


def draw(seed: int, patient: int, side: str) -> Latents:
    """Latents of one eye, a function of (seed, patient, side) alone."""
    shared = stream(seed, patient, "patient", 1)
    own = stream(seed, patient, "eye", 0 if side == "OD" else 1)

    def pair(correlation: float) -> float:
        """Standard normal, correlated between the two eyes of a patient."""
        of_patient, of_eye = shared.standard_normal(), own.standard_normal()
        return math.sqrt(correlation) * of_patient + math.sqrt(1 - correlation) * of_eye

    # A golden-ratio sequence instead of coin flips keeps the mixture of grades steady in small
    # sets, while each patient's place in it still depends on (seed, patient) alone.
    start = np.random.default_rng([seed, 99]).random()
    place = (start + GOLDEN * patient) % 1.0
    glaucoma = place >= 0.5
    own_share = own.standard_normal()
    severity = 0.0
    if glaucoma:
        of_patient = float(special.ndtri(np.clip(2.0 * place - 1.0, 1e-4, 1 - 1e-4)))
        z = math.sqrt(0.7) * of_patient + math.sqrt(0.3) * own_share
        severity = SEVERITY_MEDIAN_DB * math.exp(SEVERITY_SIGMA * z)
        severity = float(np.clip(severity, *SEVERITY_RANGE_DB))

    age = float(np.clip((66 if glaucoma else 60) + 10 * shared.standard_normal(), 35, 90))
    z_disc = pair(0.8)
    z_cup = pair(0.6)
    z_rnfl = pair(0.8)
    disc_radius = float(np.clip(0.91 + 0.085 * z_disc, 0.70, 1.15))
    return Latents(
        patient=patient,
        side=side,
        age=age,
        glaucoma=bool(glaucoma),
        severity=severity,
        progression=float(glaucoma * own.gamma(1.5, 0.35)),
        hemifield=float(0.15 + 0.70 * own.standard_normal()),
        focal=_focal_defects(own, severity),
        function_gain=float(np.exp(0.20 * own.standard_normal())),
        rim_gain=float(np.exp(0.62 * own.standard_normal())),
        media_loss=float(own.exponential(0.5) * max(0.2, (age - 40) / 30)),
        hill=tuple(0.6 * own.standard_normal(52)),
        disc_radius=disc_radius,
        disc_aspect=float(np.clip(1.08 + 0.06 * own.standard_normal(), 0.92, 1.25)),
        disc_rotation=float(12 * own.standard_normal()),
        disc_wiggle=tuple(0.010 * own.standard_normal(6)),
        # A large disc holds the same axons in a thinner rim (larger cup), and its margin lies
        # nearer the measuring ring, where the layer is thicker.
        cup_ratio=_healthy_cup(0.43 + 0.155 * z_disc + 0.060 * z_cup),
        cup_shift=float(0.04 + 0.03 * own.standard_normal()),
        cup_depth=float(np.exp(0.25 * own.standard_normal())),
        rnfl_gain=float(1.2 * np.exp(0.70 * own.standard_normal())),
        rnfl_floor=float(np.clip(0.56 + 0.10 * own.standard_normal(), 0.32, 0.75)),
        healthy_rnfl=float(95.0 + 7.4 * z_disc + 3.0 * z_rnfl - 0.15 * (age - 60)),
        hump_shift=tuple(6.0 * own.standard_normal(2)),
        hump_gain=tuple(np.exp(0.12 * own.standard_normal(2))),
        rnfl_wiggle=tuple(2.5 * own.standard_normal(8)),
        fovea=(
            float(4.5 + 0.2 * own.standard_normal()),
            float(-0.55 + 0.25 * own.standard_normal()),
        ),
        pigment=float(np.clip(0.42 + 0.22 * pair(0.95), 0.0, 1.0)),
        optics=float(np.exp(0.05 * pair(0.7))),
    )


def _healthy_cup(ratio: float) -> float:
    """The vertical cup-to-disc ratio of a healthy eye from a normal deviate of it, 0.26 to 0.80.

    Healthy eyes are at 0.3 to 0.5: below 0.38 the normal's tail is drawn in towards 0.26, without
    changing the order of the eyes.
    """
    if ratio < 0.38:
        ratio = 0.26 + 0.12 * math.exp((ratio - 0.38) / 0.12)
    return min(ratio, 0.80)


def _focal_defects(rng: np.random.Generator, severity: float) -> tuple:
    """Local defects at the vulnerable poles: (angle, width, loss in dB), none in health."""
    count = int(rng.integers(0, 3))
    draws = rng.random((2, 3))
    defects = []
    for u_pole, u_angle, u_depth in draws[:count]:
        pole = 288.0 if u_pole < 0.6 else 70.0
        defects.append((pole + 30 * (u_angle - 0.5), 7.0 + 5.0 * u_angle, severity * u_depth))
    return tuple(defects) if severity > 0 else ()


def at_visit(latents: Latents, visit: int, years_between: float = 0.5) -> Latents:
    """The same eye at a later visit (1 is the first): older and, with glaucoma, progressed."""
    years = (visit - 1) * years_between
    return dataclasses.replace(
        latents,
        age=latents.age + years,
        severity=latents.severity + latents.progression * years,
    )
