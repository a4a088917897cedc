"""Manifests: the contract between people's files and this project.

A manifest is a CSV file beside the data: `id,patient,split,fundus,oct,mask,grade` with one
row an eye, or, for OCT screening, `id,patient,eye,visit,split,oct,glaucoma,vfi,md,psd` with
one row a volume. `python -m data_pipelines.manifest` makes and checks them.
"""

from data_pipelines.manifest.check import check_manifest, check_screening_manifest
from data_pipelines.manifest.multimodal import Eye, Manifest, read_manifest, write_manifest
from data_pipelines.manifest.problems import ManifestError, Problem, errors, format_problems
from data_pipelines.manifest.screening import (
    ScreeningManifest,
    ScreeningVolume,
    read_screening_manifest,
    write_screening_manifest,
)

__all__ = [
    "Eye",
    "Manifest",
    "ManifestError",
    "Problem",
    "ScreeningManifest",
    "ScreeningVolume",
    "check_manifest",
    "check_screening_manifest",
    "errors",
    "format_problems",
    "read_manifest",
    "read_screening_manifest",
    "write_manifest",
    "write_screening_manifest",
]
