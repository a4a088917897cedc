"""Metrics: numpy arrays in and out, as per-eye sums that are merged and divided once.

`imo_eye.score_eye` -> `imo_summary.imo_summary` is the way of the multimodal model; everything
under them (segmentation, cup_to_disc, grading, ranking, calibration, bootstrap) stands alone.
"""
