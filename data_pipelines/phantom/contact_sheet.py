"""One picture to judge a phantom by: eyes of each grade, next to real images if there are any."""

import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from data_pipelines.phantom import oct
from data_pipelines.phantom.anatomy import RING_RADIUS_MM
from data_pipelines.phantom.camera import pixels_per_mm
from data_pipelines.phantom.eye import Eye, eyes_of

TILE = 176
GAP = 6
CAPTION = 16
EYES_PER_GRADE = 3
GRADES = ("normal", "early", "mid/adv.")
RIM_COLOUR, CUP_COLOUR = (120, 255, 120), (40, 90, 255)


def zoom(image: np.ndarray, mask: np.ndarray, reach: int) -> Image.Image:
    """The disc enlarged, with the outlines of disc (green) and cup (blue)."""
    rows, columns = np.nonzero(mask)
    row, column = int(rows.mean()), int(columns.mean())
    box = (column - reach, row - reach, column + reach, row + reach)
    large = Image.fromarray(image).crop(box).resize((TILE, TILE), Image.Resampling.BICUBIC)
    ids = Image.fromarray(mask).crop(box).resize((TILE, TILE), Image.Resampling.NEAREST)
    pixels, ids = np.array(large), np.array(ids)
    for region, colour in ((ids > 0, RIM_COLOUR), (ids == 2, CUP_COLOUR)):
        pixels[region & ~ndimage.binary_erosion(region)] = colour
    return Image.fromarray(pixels)


def ring_scan(eye: Eye, volume: np.ndarray, columns: int = 384) -> np.ndarray:
    """B-scan (DEPTH, columns) along the measuring circle of a cube, from temporal by superior."""
    centre = oct.draw_scanner(eye.stream("oct", 1, 1)).centre
    angle = 2 * np.pi * np.arange(columns) / columns
    mirror = -1 if eye.side == "OD" else 1
    right = centre[0] + mirror * RING_RADIUS_MM * np.cos(angle) + oct.CUBE_MM / 2
    down = centre[1] - RING_RADIUS_MM * np.sin(angle) + oct.CUBE_MM / 2
    at_slice = down / (oct.CUBE_MM / oct.SLICES) - 0.5
    at_column = right / (oct.CUBE_MM / oct.WIDTH) - 0.5
    depth = np.arange(oct.DEPTH)[:, None]
    places = np.stack(np.broadcast_arrays(at_slice, depth, at_column))
    return ndimage.map_coordinates(volume, places, order=1, mode="nearest")


def _disc_scan(eye: Eye, volume: np.ndarray) -> Image.Image:
    """The B-scan through the middle of the disc."""
    down = oct.draw_scanner(eye.stream("oct", 1, 1)).centre[1] + oct.CUBE_MM / 2
    middle = int(np.clip(down / (oct.CUBE_MM / oct.SLICES), 0, oct.SLICES - 1))
    return Image.fromarray(volume[middle]).resize((TILE, TILE), Image.Resampling.BICUBIC)


class Sheet:
    """A canvas of captioned tiles."""

    def __init__(self, columns: int, rows: int):
        size = (columns * (TILE + GAP) + GAP, rows * (TILE + CAPTION + GAP) + GAP)
        self.image = Image.new("RGB", size, (24, 24, 24))
        self.pen = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(11)

    def put(self, column: float, row: int, tile: Image.Image, caption: str) -> None:
        """Paste a tile; captions stand above."""
        left = int(GAP + column * (TILE + GAP))
        top = GAP + row * (TILE + CAPTION + GAP)
        self.pen.text((left, top), caption, fill=(235, 235, 235), font=self.font)
        self.image.paste(tile.convert("RGB"), (left, top + CAPTION))


def draw(
    seed: int, real_fundus: pathlib.Path | None = None, real_bscan: pathlib.Path | None = None
) -> Image.Image:
    """Eyes of each grade: photograph, disc with mask outlines, B-scan; above them, real images."""
    sheet = Sheet(3 * EYES_PER_GRADE, 4)
    eyes = eyes_of(seed, 120)
    _draw_real(sheet, real_fundus, real_bscan)
    shown = next(eye for eye in eyes if eye.grade == 0)
    wide = (2 * TILE + GAP, TILE)
    circle = Image.fromarray(ring_scan(shown, shown.volume())).resize(wide, Image.BICUBIC)
    sheet.put(7, 0, circle, f"phantom cube {shown.id}, resampled along the ring, T-S-N-I-T")
    for grade, name in enumerate(GRADES):
        patients: dict[int, Eye] = {}
        for eye in eyes:
            if eye.grade == grade:
                patients.setdefault(eye.patient, eye)
        for number, eye in enumerate(list(patients.values())[:EYES_PER_GRADE]):
            image, mask, _ = eye.photograph()
            shape, field = eye.first.shape, eye.first.field
            whole = Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS)
            reach = int(1.35 * pixels_per_mm(eye.latents))
            column = 3 * number
            sheet.put(column, grade + 1, whole, f"{name}, {eye.id}, MD {field.md:.1f} dB")
            sheet.put(
                column + 1, grade + 1, zoom(image, mask, reach), f"vertical CDR {shape.vcdr:.2f}"
            )
            scan = _disc_scan(eye, eye.volume())
            sheet.put(column + 2, grade + 1, scan, f"OCT, mean RNFL {shape.rnfl_mean:.0f} um")
    return sheet.image


def _draw_real(
    sheet: Sheet, real_fundus: pathlib.Path | None, real_bscan: pathlib.Path | None
) -> None:
    if real_fundus is not None:
        photograph = Image.open(real_fundus).convert("RGB")
        small = photograph.resize((TILE, TILE), Image.Resampling.LANCZOS)
        sheet.put(0, 0, small, "REAL photograph, 45 degrees")
        # The part that a field of 30 degrees would show around this photograph's disc, mostly.
        width = photograph.width
        box = (0, int(0.13 * width), int(0.67 * width), int(0.80 * width))
        part = photograph.crop(box).resize((TILE, TILE), Image.Resampling.LANCZOS)
        sheet.put(1, 0, part, "REAL, 30 degrees of it")
        box = (int(0.05 * width), int(0.36 * width), int(0.25 * width), int(0.56 * width))
        sheet.put(2, 0, photograph.crop(box).resize((TILE, TILE)), "REAL, its disc")
    if real_bscan is not None:
        scan = Image.open(real_bscan).convert("L")
        # The phantom's depth range of 1.28 mm at this scan's 3.87 micron a row.
        scan = scan.crop((0, 60, scan.width, 60 + 331)).resize((4 * TILE + 3 * GAP, TILE))
        sheet.put(3, 0, scan, "REAL B-scan along the ring (Spectralis)")


def save(
    path: pathlib.Path,
    seed: int,
    real_fundus: pathlib.Path | None = None,
    real_bscan: pathlib.Path | None = None,
) -> None:
    """Write the contact sheet as a PNG of 256 colours."""
    sheet = draw(seed, real_fundus, real_bscan)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(256, method=Image.Quantize.MEDIANCUT).save(path, optimize=True)
