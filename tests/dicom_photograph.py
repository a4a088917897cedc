"""Writes photographs as DICOM files, with everything in them that names a person."""

import io

import numpy as np
from PIL import Image

FUNDUS_8_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.1"  # Ophthalmic Photography 8 Bit Image Storage
IDENTITIES = {
    "PatientName": "Roe^Jane", "PatientID": "HOSPITAL-4711", "PatientBirthDate": "19500102",
    "OtherPatientNames": "Doe^Jane", "AccessionNumber": "ACC0815",
    "ReferringPhysicianName": "Quincy^Doctor", "InstitutionName": "Saint Elsewhere",
}  # fmt: skip


def write_photograph(path, pixels, *, photometric="RGB", jpeg=False, **elements):
    """Writes (H, W, 3) or (H, W) uint8 RGB or grey pixels; returns the path.

    Args:
      photometric: what the pixels are stored as.
      jpeg: as baseline JPEG (of YBR_FULL_422), else native.
      elements: keyword -> value; None leaves one out.
    """
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = JPEGBaseline8Bit if jpeg else ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = FUNDUS_8_BIT
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = FUNDUS_8_BIT, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20240102", "101112", "1"
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.Modality = 1, 1, "OP"
    dataset.PatientSex, dataset.ImageLaterality, dataset.NumberOfFrames = "F", "R", 1
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    if jpeg:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling="4:2:2")
        dataset.PixelData = encapsulate([buffer.getvalue()])
    else:
        dataset.PixelData = _stored(pixels, photometric).tobytes()
    for name, value in {**IDENTITIES, **elements}.items():
        if value is None:
            dataset.pop(name, None)
        else:
            setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _stored(pixels, photometric):
    """Pixels as a native file holds them."""
    if not photometric.startswith("YBR"):
        return pixels
    # JPEG's YCbCr, full range: PS3.3, C.7.6.3.1.2.
    ybr = np.asarray(Image.fromarray(pixels).convert("YCbCr"))
    if photometric == "YBR_FULL":
        return ybr
    # (H, W, 3) -> (H, W / 2, 4): Y1 Y2 Cb Cr of each pair of a row.
    first, second = ybr[:, ::2], ybr[:, 1::2]
    return np.stack([first[..., 0], second[..., 0], first[..., 1], first[..., 2]], axis=-1)
