"""What the label ids mean: the one place of this package that knows it.

Segmentation ids are exclusive: `rim` is the neuroretinal rim alone, so the optic disc is rim + cup.
"""

BACKGROUND, RIM, CUP = 0, 1, 2
IGNORE = 255  # a pixel without a label: outside the photograph, or left open by the reader

CLASS_NAMES = ("background", "rim", "cup")
# Of the paper. A set may have others, which its manifest names: the first is always an eye without glaucoma.
GRADE_NAMES = ("normal", "early", "mid/advanced")
SCREENING_NAMES = ("normal", "glaucoma")

# What is drawn and scored as a region: the ids whose union it is.
REGIONS = {"rim": (RIM,), "cup": (CUP,), "disc": (RIM, CUP)}


def default_grade_names(number: int) -> tuple[str, ...]:
    """Names of so many grades where nobody has named them."""
    if number == len(GRADE_NAMES):
        return GRADE_NAMES
    return (GRADE_NAMES[0], *(f"grade {k}" for k in range(1, number)))
