"""What is said of a DICOM photograph as DICOM objects: a segmentation and a measurement report.

The segmentation (PS3.3, A.51) holds the disc, rim and cup together, and the cup. The report is a
Comprehensive SR of template TID 1500 with the key measurements of an optic disc (CID 4281). Both
belong to the photograph's study. Needs the extra '.[dicom]'.
"""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

import imo_jax
from data_pipelines.bad_file import BadFile
from data_pipelines.dicom_files import read_dataset
from imo_jax.atomic_files import replacing
from imo_jax.labels import CUP, RIM
from imo_jax.predictor.eye_result import EyeResult

if TYPE_CHECKING:
    import highdicom
    import pydicom

NO_HIGHDICOM = "DICOM objects need highdicom: pip install -e '.[dicom]'"
RESEARCH = "Research software, not for diagnosis or treatment"  # at most 64 characters

SEGMENTATION, REPORT = "{id}_seg.dcm", "{id}_sr.dcm"  # names of the files
SERIES_NUMBERS = {"segmentation": 9001, "report": 9002}  # beyond those of cameras

# What of a photograph an object needs that is to name nobody: the rest is left empty.
WITHOUT_IDENTITY = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "Modality", "Rows", "Columns", "NumberOfFrames", "ImageLaterality",
    "PatientOrientation", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)  # fmt: skip
# Must be there, be it empty (type 2 of the modules Patient and General Study).
MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip

# Codes of the standard that its tables in pydicom 3.0 do not have yet: CID 4281.
AREA_RATIO = ("131256", "DCM", "Cup to disc area ratio")
VERTICAL_RATIO = ("131257", "DCM", "Cup to disc ratio vertical")
HORIZONTAL_RATIO = ("131258", "DCM", "Cup to disc ratio horizontal")
RIM_AREA = ("131259", "DCM", "Neuroretinal rim area")
RIM_WIDTH = ("131260", "DCM", "Neuroretinal rim width")
CUP_AREA = ("131261", "DCM", "Optic cup area")
DISC_AREA = ("131262", "DCM", "Optic disc area")
OPTIC_NERVE_HEAD = ("81016008", "SCT", "Optic nerve head")
# No context group has a code for the cup as a structure, nor for these grades.
SCHEME = "99IMO_JAX"
OPTIC_CUP = ("cup", SCHEME, "Optic cup")
GRADE = ("grade", SCHEME, "Glaucoma grade predicted by a network")

# Of the sectors, those that have a code as positions of a photograph of either eye.
SECTOR_CODES = {"superior": "Superior", "inferior": "Inferior"}
COLOURS = {"disc": (90.0, -20.0, -30.0), "cup": (90.0, -5.0, 80.0)}  # CIELab, as in pictures


def require_highdicom() -> None:
    """Raises ImportError with the one command to type where the extra is not installed."""
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise ImportError(NO_HIGHDICOM) from error


def save_dicom(
    result: EyeResult,
    photograph: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    identities: bool = False,
) -> list[pathlib.Path]:
    """Writes `<id>_seg.dcm` and `<id>_sr.dcm`, each whole or not at all.

    Args:
      result: of this photograph.
      photograph: the DICOM file that it was predicted from.
      folder: made where it is absent.
      identities: copy what the photograph says of patient and study, so that an archive files the
        objects with it; otherwise they name nobody, and the UIDs of study and photograph alone tie
        them to it.

    Returns:
      The two files; none where no disc was found or looked for.

    Raises:
      ImportError: highdicom is not installed.
      BadFile (a ValueError): the photograph cannot be read, is of another size, or lacks the UIDs of
        its study.
    """
    require_highdicom()
    if result.measures is None:
        return []
    source = source_of(photograph, identities)
    if (source.Rows, source.Columns) != result.size:
        raise BadFile(
            photograph,
            f"has {source.Columns} x {source.Rows} pixels, the result of {result.id} "
            f"{result.size[1]} x {result.size[0]}",
        )
    segmentation = segmentation_of(result, source)
    written = []
    for name, dataset in (
        (SEGMENTATION, segmentation),
        (REPORT, report_of(result, source, segmentation)),
    ):
        if not identities:
            dataset.PatientIdentityRemoved = "YES"
            dataset.DeidentificationMethod = "no attribute of patient or study was copied"
        path = pathlib.Path(folder) / name.format(id=result.id)
        with replacing(path) as part:
            dataset.save_as(part, enforce_file_format=True)
        written.append(path)
    return written


def source_of(photograph: str | os.PathLike, identities: bool) -> pydicom.Dataset:
    """The header of a photograph as far as objects may know it, see `save_dicom`."""
    import pydicom

    header = read_dataset(photograph, pixels=False)
    needed = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    if missing := [name for name in needed if name not in header]:
        raise BadFile(photograph, f"lacks {', '.join(missing)}, which DICOM objects refer to")
    source = header
    if not identities:
        source = pydicom.Dataset()
        for name in WITHOUT_IDENTITY:
            if name in header:
                source[name] = header[name]
    for name in MAY_BE_EMPTY:
        if name not in source:
            setattr(source, name, None)
    return source


def segmentation_of(result: EyeResult, source: pydicom.Dataset) -> highdicom.seg.Segmentation:
    """A binary segmentation of the disc (segment 1: rim and cup) and the cup (segment 2)."""
    import highdicom
    from pydicom.uid import generate_uid

    mask = result.mask
    disc = (mask == RIM) | (mask == CUP)
    # (H, W) twice -> (1 frame, H, W, 2 segments)
    segments = np.stack([disc, mask == CUP], axis=-1)[None].astype(np.uint8)
    segmentation = highdicom.seg.Segmentation(
        source_images=[_with_groups(source, result.mm_per_pixel)],
        pixel_array=segments,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _segment(1, "Optic disc", OPTIC_NERVE_HEAD, COLOURS["disc"]),
            _segment(2, "Optic cup", OPTIC_CUP, COLOURS["cup"]),
        ],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBERS["segmentation"],
        sop_instance_uid=generate_uid(),
        instance_number=1,
        content_label="OPTIC_DISC",
        content_description=RESEARCH,
        omit_empty_frames=False,
        series_description="Optic disc and cup (research)",
        **_common(),
    )
    # Of images without a position in the patient: may be empty, must be there (C.7.6.1).
    segmentation.PatientOrientation = source.get("PatientOrientation")
    return segmentation


def _with_groups(source: pydicom.Dataset, mm: float | None) -> pydicom.Dataset:
    """The photograph as highdicom wants one that might have several frames.

    It asks every such image for functional groups, which ophthalmic photographs do not have.
    """
    import highdicom
    import pydicom

    class NoMeasures(pydicom.Dataset):
        PixelMeasuresSequence = None  # highdicom asks for the attribute, and leaves None out

    group = NoMeasures()
    if mm is not None:
        group = pydicom.Dataset()
        # A photograph has no thickness; readers ask for one, and some divide by it.
        group.PixelMeasuresSequence = highdicom.PixelMeasuresSequence((mm, mm), slice_thickness=mm)
    found = pydicom.Dataset(source)
    found.SharedFunctionalGroupsSequence = [group]
    return found


def report_of(
    result: EyeResult, source: pydicom.Dataset, segmentation: highdicom.seg.Segmentation
) -> highdicom.sr.ComprehensiveSR:
    """A report of template TID 1500: the measurements of disc, cup and rim, and the grade."""
    import highdicom
    from highdicom import sr
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    device = sr.DeviceObserverIdentifyingAttributes(
        uid=generate_uid(),
        name="imo_jax",
        model_name="imo_jax",
        manufacturer_name="imo_jax",
        serial_number=imo_jax.__version__,
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(codes.DCM.Device, device)
        ),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=_groups(result, segmentation),
        title=codes.DCM.ImagingMeasurementReport,
    )
    return highdicom.sr.ComprehensiveSR(
        evidence=[source, segmentation],
        content=content[0],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBERS["report"],
        sop_instance_uid=generate_uid(),
        instance_number=1,
        is_complete=True,
        is_verified=False,
        series_description="Optic disc measurements (research)",
        **_common(),
    )


def _groups(result: EyeResult, segmentation: highdicom.seg.Segmentation) -> list[Any]:
    """Measurements of each segment, and those that belong to none."""
    from highdicom import sr

    measures, site = result.measures, _site(result.eye)
    areas = {1: (DISC_AREA, measures.disc_area_mm2), 2: (CUP_AREA, measures.cup_area_mm2)}
    groups: list[Any] = [
        sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(identifier=name),
            referenced_segment=sr.ReferencedSegmentationFrame.from_segmentation(
                segmentation, segment_number=number
            ),
            finding_type=_code(*code),
            finding_sites=[site],
            algorithm_id=_algorithm(),
            measurements=[_measurement(areas[number][0], areas[number][1], "SquareMillimeter")]
            if measures.mm_per_pixel is not None
            else None,
        )
        for number, name, code in ((1, "optic disc", OPTIC_NERVE_HEAD), (2, "optic cup", OPTIC_CUP))
    ]
    return [
        *groups,
        sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(identifier="optic nerve head"),
            finding_type=_code(*OPTIC_NERVE_HEAD),
            finding_sites=[site],
            algorithm_id=_algorithm(),
            measurements=[*_ratios(result), *_rim(result)],
            qualitative_evaluations=_grade(result),
        ),
    ]


def _ratios(result: EyeResult) -> list[Any]:
    from highdicom import sr

    ratio, measures = result.vertical_cdr, result.measures
    interval = None
    if ratio.low is not None:  # of split-conformal prediction, see docs/predictor.md
        interval = sr.MeasurementProperties(
            upper_measurement_uncertainty=ratio.high - ratio.value,
            lower_measurement_uncertainty=ratio.value - ratio.low,
        )
    return [
        _measurement(VERTICAL_RATIO, ratio.value, "Ratio", properties=interval),
        _measurement(HORIZONTAL_RATIO, measures.horizontal_cdr, "Ratio"),
        _measurement(AREA_RATIO, measures.area_cdr, "Ratio"),
    ]


def _rim(result: EyeResult) -> list[Any]:
    """Area and widths of the rim, where the size of a pixel is known."""
    from pydicom.sr.codedict import codes

    measures = result.measures
    if measures.mm_per_pixel is None:
        return []
    area = measures.disc_area_mm2 - measures.cup_area_mm2
    widths = [
        _measurement(
            RIM_WIDTH,
            1000 * measures.sector_rim_mm[name],
            "Micrometer",
            finding_sites=[_site(result.eye, getattr(codes.SCT, keyword))],
        )
        for name, keyword in SECTOR_CODES.items()
    ]
    return [_measurement(RIM_AREA, area, "SquareMillimeter"), *widths]


def _grade(result: EyeResult) -> list[Any] | None:
    from highdicom import sr

    if result.grade is None:
        return None
    value = _code(result.grade.replace("/", "_"), SCHEME, result.grade)
    return [sr.QualitativeEvaluation(name=_code(*GRADE), value=value)]


def _measurement(name: tuple[str, str, str], value: float, unit: str, **more: Any) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.Measurement(
        name=_code(*name), value=float(value), unit=getattr(codes.UCUM, unit), **more
    )


def _segment(
    number: int, label: str, kind: tuple[str, str, str], colour: tuple[float, float, float]
) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=_code(*kind),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="imo_jax", family=codes.DCM.ArtificialIntelligence, version=imo_jax.__version__
        ),
        anatomic_regions=[_code(*OPTIC_NERVE_HEAD)],
        display_color=highdicom.color.CIELabColor(*colour),
    )


def _algorithm() -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.AlgorithmIdentification(
        name="imo_jax", version=imo_jax.__version__, family=codes.DCM.ArtificialIntelligence
    )


def _site(eye: str | None, part: Any = None) -> Any:
    """The optic nerve head of an eye, or a part of it."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    side = {"OD": codes.SCT.Right, "OS": codes.SCT.Left}.get(eye)
    return sr.FindingSite(_code(*OPTIC_NERVE_HEAD), laterality=side, topographical_modifier=part)


def _code(value: str, scheme: str, meaning: str) -> Any:
    import highdicom

    return highdicom.sr.CodedConcept(value, scheme, meaning)


def _common() -> dict[str, Any]:
    """What both objects say of their maker."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return {
        "manufacturer": "imo_jax",
        "manufacturer_model_name": "imo_jax",
        "software_versions": imo_jax.__version__,
        "device_serial_number": imo_jax.__version__,
        "content_qualification": "RESEARCH",
        "coding_schemes": [
            CodingSchemeIdentificationItem(SCHEME, name="imo_jax", version="1")
        ],
    }
