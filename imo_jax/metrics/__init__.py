"""Metrics: numpy arrays in and out, as per-eye sums that are merged and divided once.

`imo_eye.score_eye` -> `imo_summary.imo_summary` is the way of the multimodal model, and
`screening.VolumeRecord` -> `screening_summary.screening_summary` that of screening; everything
under them (segmentation, cup_to_disc, grading, binary, regression, ranking, calibration, bootstrap)
stands alone.
"""
