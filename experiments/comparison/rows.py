"""The rows of the paper's Tables 1 to 3 as data. How a row trains is said in its flagfile."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
      name: of its flagfile (experiments/flagfiles/tables) and of the folder of its runs.
      title: what the table calls it.
      program: of eye_programs.PROGRAMS, which trains it; None: it is made of other rows.
      paper_size: --size of the paper's network, which the flagfile says in words.
      paper: metric -> the paper's figure in 0..1, as far as it is known.
    """

    name: str
    title: str
    program: str | None
    paper_size: str | None = None
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
      title: of the table.
      rows: in the paper's order, then ours.
      heads: of "segment" and "grade": what is scored.
      note: what else the paper says of its figures.
    """

    title: str
    rows: tuple[Row, ...]
    heads: tuple[str, ...]
    note: str


# Micro Dice in the paper's words: its "optic disc" is the rim. The grading figures are those of the
# one confusion matrix that fits them: 8 of 8, 3 of 8 and 4 of 4 eyes right.
IMO = Row(
    "imo",
    "IMO",
    "imo",
    "convnext_tiny",
    {
        "micro_dice_rim": 0.8993,
        "micro_dice_cup": 0.9009,
        "macro_precision": 0.8148,
        "macro_recall": 0.7917,
        "macro_f1": 0.7203,
        "accuracy": 0.75,
    },
)
ENSEMBLE = Row("ensemble", "ensemble with IMO", None)

TABLES = {
    1: Table(
        "Table 1: segmentation",
        (
            Row("unetpp", "UNet++", "segmenter", "standard"),
            Row("deeplab", "DeepLabV3+", "segmenter", "resnet50"),
            Row("upernet", "UPerNet", "segmenter", "convnext_tiny"),
            Row("segformer", "SegFormer", "segmenter", "b2"),
            Row("segnext", "SegNeXt", "segmenter", "b"),
            Row("unet", "U-Net", "segmenter", "resnet34"),  # not the paper's; what everybody uses
            IMO,
            ENSEMBLE,
        ),
        ("segment",),
        "In the paper the mean of rim and cup Dice is 0.9001 for IMO and 0.8625 for SegFormer.",
    ),
    2: Table(
        "Table 2: grading",
        (
            Row("resnet", "ResNet-50", "grader", "resnet50"),
            Row("convnext", "ConvNeXt", "grader", "convnext_tiny"),
            Row("vit", "ViT", "grader", "vit_b16"),
            Row("beit", "BEiTv2", "grader", "beitv2_b16"),
            Row("efficientvit", "EfficientViT", "grader", "efficientvit_m5"),
            IMO,
        ),
        ("grade",),
        "The paper grades 20 eyes, so that one eye is 0.05 of accuracy.",
    ),
    3: Table(
        "Table 3: ablations of IMO",
        (
            Row("imo_without_oct", "w/o OCT", "imo", "convnext_tiny"),
            Row("imo_without_grading", "w/o grading", "imo", "convnext_tiny"),
            Row("imo_without_segmentation", "w/o segmentation", "imo", "convnext_tiny"),
            Row("imo_without_cmfa", "w/o CMFA", "imo", "convnext_tiny"),
            Row("imo_without_ird", "w/o IRD", "imo", "convnext_tiny"),
            IMO,
        ),
        ("segment", "grade"),
        "In the paper the iterative refinement decoder (IRD) brings 0.0047 of mDice.",
    ),
}

# Every row that is trained, once.
TRAINED = {row.name: row for table in TABLES.values() for row in table.rows if row.program}
