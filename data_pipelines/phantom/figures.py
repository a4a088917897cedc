"""Real figures that the phantom is held to, each with its source.

Nothing here is read at run time from a data file: these are published or published-data numbers,
written down once. Thicknesses in micron, visual-field indices in dB.
"""

import numpy as np

# Mean healthy peripapillary ring of the linear shape model of FabianRathke/octSegmentation (MIT):
# RNFL thickness over the angle from temporal (0) by superior (90), nasal (180), inferior (270
# degrees) as a Fourier series of order 8 fitted to its 384 columns.
RING_MEAN_UM = 95.4
RING_COS_UM = np.array([6.66, -35.67, -14.43, -6.19, 11.18, 4.35, -2.84, -1.71])
RING_SIN_UM = np.array([-0.75, -2.62, 10.47, 0.73, -0.64, 1.60, 1.27, -0.22])

# Mean thickness of the layers below the RNFL on that ring: GCL+IPL, INL, OPL, ONL, inner segments,
# outer segments, RPE.
LAYERS_BELOW_UM = (52.0, 21.0, 21.0, 67.0, 16.0, 21.0, 22.0)

HEALTHY_RNFL_MEAN_UM = 95.0
HEALTHY_RNFL_SD_UM = 8.0
HEALTHY_HUMP_MAX_UM = (140.0, 150.0)  # superior and inferior maxima
HEALTHY_HUMP_MIN_UM = (57.0, 70.0)  # temporal and nasal minima

# Lions Eye Institute LEI-SFD (3-clause BSD), visit 1 of 162 glaucoma-clinic eyes.
LEI_MD_MEAN_DB = -2.6
LEI_MD_SD_DB = 4.0
LEI_RNFL_MEAN_UM = 77.7
LEI_RNFL_SD_UM = 13.5
LEI_MD_RNFL_CORRELATION = 0.55
# Share of its eyes in each of the bands below (by the plain mean of the 52 total deviations).
LEI_MD_SHARES = (78 / 162, 57 / 162, 17 / 162, 10 / 162)
# Bands of MD (low, high) in dB, mean RNFL in micron.
LEI_RNFL_BY_MD = {(-2, 10): 83.0, (-6, -2): 72.0, (-12, -6): 63.0, (-40, -12): 60.0}
# The same data's six sectors: mean thickness at MD >= -2 dB and at MD in -12..-6 dB.
SECTORS = ("T", "TS", "NS", "N", "NI", "TI")
LEI_SECTORS_MILD_UM = (64.0, 115.2, 94.0, 65.7, 91.7, 122.1)
LEI_SECTORS_MODERATE_UM = (51.9, 72.9, 72.2, 57.6, 67.2, 66.2)

# UWHVF, 7,428 eyes of a hospital population: median PSD (dB) by band of mean total deviation (dB).
UWHVF_PSD_BY_MD = {(-2, 0): 1.6, (-6, -3): 2.2, (-12, -6): 4.9, (-20, -12): 9.2, (-40, -20): 8.0}

# Retest standard deviation (dB) of one visual-field location by its sensitivity.
RETEST_SD_HIGH_DB = 1.0  # sensitivity 32..40 dB
RETEST_SD_LOW_DB = 4.8  # sensitivity below 20 dB

# Vertical cup-to-disc ratio: percentiles 5/50/95 of a glaucoma clinic; range of healthy eyes.
CLINIC_VCDR_PERCENTILES = {5: 0.50, 50: 0.78, 95: 0.88}
HEALTHY_VCDR_RANGE = (0.3, 0.5)

# Height of the disc as a fraction of the field in a disc-centred photograph of about 30 degrees.
DISC_HEIGHT_FRACTION = 0.22

# Grades of GAMMA's 100 training eyes, in percent: normal, early, mid or advanced.
GRADE_MIXTURE = (0.50, 0.26, 0.24)
GRADE_MD_LIMIT_DB = -6.0
