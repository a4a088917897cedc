"""What the label ids mean: the one place of this package that knows it.

Segmentation ids are exclusive: `rim` is the neuroretinal rim alone, so the optic disc is rim + cup.
"""

BACKGROUND, RIM, CUP = 0, 1, 2
IGNORE = 255  # a pixel without a label: outside the photograph, or left open by the reader

CLASS_NAMES = ("background", "rim", "cup")
GRADE_NAMES = ("normal", "early", "mid/advanced")
SCREENING_NAMES = ("normal", "glaucoma")

# What is drawn and scored as a region: the ids whose union it is.
REGIONS = {"rim": (RIM,), "cup": (CUP,), "disc": (RIM, CUP)}
