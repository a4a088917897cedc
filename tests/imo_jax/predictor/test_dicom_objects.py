"""DICOM objects of a prediction, read back by highdicom and by pydicom."""

import pathlib

import numpy as np
import pytest
from PIL import Image

import imo_jax
from data_pipelines.bad_file import BadFile
from experiments.config import RunConfig
from experiments.run_predict import run_predict
from experiments.runtime import UserError
from experiments.saved_run import restore_run
from imo_jax.predictor import dicom_objects
from imo_jax.predictor.dicom_objects import save_dicom

RUNS = pathlib.Path(__file__).resolve().parents[2] / "run_folders"
MM = 0.0135
IDENTITIES = (b"Roe^", b"^Jane", b"HOSPITAL-4711", b"19500102", b"ACC0815", b"Quincy", b"Elsewhere")


@pytest.fixture(scope="module")
def photograph(tmp_path_factory, write_dicom_photograph):
    pixels = np.asarray(Image.open(RUNS / "eye.jpg"))
    path = tmp_path_factory.mktemp("dicom") / "eye.dcm"
    return write_dicom_photograph(path, pixels, PixelSpacing=[MM, MM], PatientAge="074Y")


@pytest.fixture(scope="module")
def result(photograph):
    return imo_jax.load(RUNS / "imo").predict(photograph)


@pytest.fixture(scope="module")
def written(result, photograph, tmp_path_factory):
    """(segmentation, report) files."""
    pytest.importorskip("highdicom")
    return save_dicom(result, photograph, tmp_path_factory.mktemp("objects"))


def test_the_segmentation_holds_disc_and_cup(written, result, photograph):
    import highdicom
    import pydicom

    file, _ = written
    assert file.name == "eye_seg.dcm"
    disc, cup = result.mask > 0, result.mask == 2
    plain = pydicom.dcmread(file)
    np.testing.assert_array_equal(plain.pixel_array, np.stack([disc, cup]))
    kinds = [segment.SegmentedPropertyTypeCodeSequence[0] for segment in plain.SegmentSequence]
    assert [(k.CodeValue, k.CodingSchemeDesignator) for k in kinds] == [
        ("81016008", "SCT"), ("cup", "99IMO_JAX"),
    ]  # fmt: skip
    spacing = plain.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    assert [float(value) for value in spacing] == [MM, MM]
    source = pydicom.dcmread(photograph)
    assert plain.StudyInstanceUID == source.StudyInstanceUID
    assert plain.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert plain.ContentQualification == "RESEARCH"
    found = highdicom.seg.segread(file)
    assert plain.SegmentsOverlap == "YES"
    pixels = found.get_pixels_by_source_instance([source.SOPInstanceUID], combine_segments=False)
    np.testing.assert_array_equal(pixels[0], np.stack([disc, cup], axis=-1))


def numbers(item):
    """(name, value) of every number in a report, at any depth."""
    for child in item.get("ContentSequence", ()):
        if child.ValueType == "NUM":
            value = child.MeasuredValueSequence[0].NumericValue
            yield child.ConceptNameCodeSequence[0].CodeMeaning, float(value)
        yield from numbers(child)


def measured(report):
    """(finding, name, topographical part) -> (value, unit) of all measurements of a report."""
    found = {}
    content = report.content
    groups = content.get_planar_roi_measurement_groups() + content.get_image_measurement_groups()
    for group in groups:
        for item in group.get_measurements():
            sites = item.finding_sites
            part = sites[0].topographical_modifier if sites else None
            key = (item.name.value, None if part is None else part.meaning)
            found[key] = item.value, item.unit.value
    return found


def test_the_report_holds_the_measurements(written, result):
    from highdicom.sr import srread

    seg, file = written
    report = srread(file)
    found, measures = measured(report), result.measures
    rim = measures.sector_rim_mm
    expected = {
        ("131257", None): (result.vertical_cdr.value, "{ratio}"),
        ("131258", None): (measures.horizontal_cdr, "{ratio}"),
        ("131256", None): (measures.area_cdr, "{ratio}"),
        ("131262", None): (measures.disc_area * MM**2, "mm2"),
        ("131261", None): (measures.cup_area * MM**2, "mm2"),
        ("131259", None): ((measures.disc_area - measures.cup_area) * MM**2, "mm2"),
        ("131260", "Superior"): (1000 * rim["superior"], "um"),
        ("131260", "Inferior"): (1000 * rim["inferior"], "um"),
    }
    assert found.keys() == expected.keys()
    for key, (value, unit) in expected.items():
        assert found[key] == (pytest.approx(value), unit), key
    (group,) = report.content.get_image_measurement_groups()
    said = {evaluation.name.value: evaluation for evaluation in group.get_qualitative_evaluations()}
    assert said["grade"].value.meaning == result.grade
    assert group.finding_sites[0].laterality.meaning == "Right"
    import pydicom

    disc, cup = report.content.get_planar_roi_measurement_groups()
    uid = pydicom.dcmread(seg).SOPInstanceUID
    for number, roi in enumerate((disc, cup), 1):
        frame = roi.referenced_segmentation_frame[0].ReferencedSOPSequence[0]
        assert frame.ReferencedSOPInstanceUID == uid and frame.ReferencedSegmentNumber == number


def test_objects_name_nobody_unless_they_are_told_to(written, result, photograph, tmp_path):
    import pydicom

    for file in written:
        content = file.read_bytes()
        assert not any(name in content for name in (*IDENTITIES, b"074Y", b"20240102"))
        assert pydicom.dcmread(file).PatientIdentityRemoved == "YES"
    for file in save_dicom(result, photograph, tmp_path, identities=True):
        found = pydicom.dcmread(file)
        assert found.PatientID == "HOSPITAL-4711" and str(found.PatientName) == "Roe^Jane"
        assert found.StudyDate == "20240102" and "PatientIdentityRemoved" not in found


def test_without_spacing_there_are_ratios_alone(write_dicom_photograph, tmp_path):
    pytest.importorskip("highdicom")
    from highdicom.sr import srread

    pixels = np.asarray(Image.open(RUNS / "eye.jpg"))
    path = write_dicom_photograph(tmp_path / "eye.dcm", pixels, FrameOfReferenceUID=None)
    result = imo_jax.load(RUNS / "imo").predict(path)
    seg, report = save_dicom(result, path, tmp_path / "out")
    assert {name for name, _ in measured(srread(report))} == {"131256", "131257", "131258"}
    import pydicom

    shared = pydicom.dcmread(seg).SharedFunctionalGroupsSequence
    assert not any("PixelMeasuresSequence" in group for group in shared)


def test_an_interval_stands_as_uncertainty(result, photograph, tmp_path, monkeypatch):
    pytest.importorskip("highdicom")
    from highdicom.sr import srread

    ratio = result.vertical_cdr
    bounded = type(ratio)(ratio.value, ratio.value - 0.1, ratio.value + 0.05, 0.9, None, 1)
    monkeypatch.setattr(type(result), "vertical_cdr", property(lambda self: bounded))
    _, report = save_dicom(result, photograph, tmp_path)
    ranges = {
        name[0]: value for name, value in numbers(srread(report)) if "measurement uncertainty" in name
    }
    assert ranges == {"+": pytest.approx(0.05), "-": pytest.approx(0.1)}


def test_a_photograph_that_is_not_that_of_the_result_is_refused(
    result, write_dicom_photograph, tmp_path
):
    pytest.importorskip("highdicom")
    pixels = np.asarray(Image.open(RUNS / "eye.jpg"))
    smaller = write_dicom_photograph(tmp_path / "small.dcm", pixels[:-2])
    with pytest.raises(BadFile, match="has 512 x 510 pixels, the result of eye 512 x 512"):
        save_dicom(result, smaller, tmp_path)
    unknown = write_dicom_photograph(tmp_path / "bare.dcm", pixels, StudyInstanceUID=None)
    with pytest.raises(BadFile, match="lacks StudyInstanceUID"):
        save_dicom(result, unknown, tmp_path)


def test_the_program_writes_them_and_goes_on_where_one_fails(
    photograph, write_dicom_photograph, tmp_path
):
    pytest.importorskip("highdicom")
    run = restore_run(str(RUNS / "imo"), {}, "best", RunConfig)
    eyes, out = tmp_path / "eyes", tmp_path / "out"
    eyes.mkdir()
    pixels = np.asarray(Image.open(RUNS / "eye.jpg"))
    write_dicom_photograph(eyes / "a.dcm", pixels)
    write_dicom_photograph(eyes / "b.dcm", pixels, StudyInstanceUID=None)
    Image.fromarray(pixels).save(eyes / "c.png")
    asked = {"volume": None, "manifest": None, "out": str(out), "dicom": True}
    done = run_predict(run, fundus=str(eyes), **asked)
    assert len(done.said) == 3 and [failed.id for failed in done.failed] == ["b"]
    assert sorted(file.name for file in out.glob("*.dcm")) == ["a_seg.dcm", "a_sr.dcm"]
    with pytest.raises(UserError, match="none of these is one: c.png"):
        run_predict(run, fundus=str(eyes / "c.png"), **asked)


def test_without_highdicom_the_command_is_told(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[dicom\]'"):
        dicom_objects.require_highdicom()
    run = restore_run(str(RUNS / "imo"), {}, "best", RunConfig)
    with pytest.raises(UserError, match=r"--dicom: .* pip install -e '\.\[dicom\]'"):
        run_predict(run, fundus=str(RUNS / "eye.jpg"), volume=None, manifest=None, out=None, dicom=True)
