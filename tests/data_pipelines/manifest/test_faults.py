"""Every fault of a multimodal manifest is told, with its row, file and reason.

Each case breaks a faultless data set in one way and says what must be reported.
"""

import io
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from data_pipelines.manifest import ManifestError, check_manifest, errors, read_manifest

# Outside pytest, images.py silences Pillow itself.
pytestmark = pytest.mark.filterwarnings("ignore:Image size")

CASES = {}


def case(line, *words, severity="error"):
    """Registers a fault: what must be reported, on which line, in which words."""

    def register(break_it):
        CASES[break_it.__name__] = (break_it, line, words, severity)
        return break_it

    return register


def edit(data, index, **cells):
    data.rows[index].update(cells)


def png_claiming(width, height):
    """A tiny PNG whose header claims a size."""

    def chunk(kind, body):
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


# --- photographs ---------------------------------------------------------------------


@case(2, "e1.png", "does not exist")
def fundus_missing(data):
    (data.folder / "e1.png").unlink()


@case(2, "fundus is empty")
def fundus_cell_empty(data):
    edit(data, 0, fundus="")


@case(2, "e1.png", "0 bytes")
def fundus_zero_bytes(data):
    (data.folder / "e1.png").write_bytes(b"")


@case(2, "e1.png", "truncated")
def fundus_truncated(data):
    content = (data.folder / "e1.png").read_bytes()
    (data.folder / "e1.png").write_bytes(content[: len(content) // 2])


@case(2, "e1.jpg", "truncated")
def fundus_truncated_jpeg(data):
    Image.open(data.folder / "e1.png").save(data.folder / "e1.jpg")
    content = (data.folder / "e1.jpg").read_bytes()
    (data.folder / "e1.jpg").write_bytes(content[: len(content) // 2])
    edit(data, 0, fundus="e1.jpg")


@case(2, "e1.png", "damaged")
def fundus_bit_rot(data):
    content = bytearray((data.folder / "e1.png").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (data.folder / "e1.png").write_bytes(content)


@case(2, "sub", "is a folder")
def fundus_is_folder(data):
    (data.folder / "sub").mkdir()
    edit(data, 0, fundus="sub")


@case(2, "e1.png", "is a picture in WebP, which is not read; save it as PNG")
def fundus_is_webp(data):
    Image.new("RGB", (40, 40)).save(data.folder / "e1.png", format="WebP")


@case(2, "e1.png", "is a picture in GIF, which is not read; save it as PNG")
def fundus_is_gif(data):
    Image.new("RGB", (40, 40)).save(data.folder / "e1.png", format="GIF")


@case(2, "e1.png", "is not a JPEG, PNG, TIFF or BMP")
def fundus_is_text(data):
    (data.folder / "e1.png").write_text("hello")


@case(2, "e1.png", "is not a JPEG, PNG, TIFF or BMP")
def fundus_is_pdf(data):
    (data.folder / "e1.png").write_bytes(b"%PDF-1.4\n" + b"x" * 100)


@case(2, "e1.png", "absurd size", "more than 80000000 pixels")
def fundus_absurd_size(data):
    (data.folder / "e1.png").write_bytes(png_claiming(60000, 60000))


@case(2, "e1.png", "absurd size", "10000 x 9000")
def fundus_large(data):
    (data.folder / "e1.png").write_bytes(png_claiming(10000, 9000))


@case(2, "e1.png", "absurd size", "at least 32")
def fundus_tiny(data):
    Image.fromarray(np.zeros((3, 5, 3), np.uint8)).save(data.folder / "e1.png")


@case(2, "e1.png", "single colour")
def fundus_constant(data):
    Image.new("RGB", (64, 64), (90, 0, 0)).save(data.folder / "e1.png")


@case(2, "e1.tif", "Pillow mode 'F'")
def fundus_float(data):
    Image.fromarray(np.random.default_rng(0).random((64, 64)).astype(np.float32)).save(
        data.folder / "e1.tif"
    )
    edit(data, 0, fundus="e1.tif")


@case(2, "e1.png", "Pillow mode '1'")
def fundus_black_and_white(data):
    Image.fromarray(np.eye(64) > 0).save(data.folder / "e1.png")


@case(2, "e1.png", "nearly black", severity="warning")
def fundus_dark(data):
    dark = np.random.default_rng(0).integers(0, 9, (64, 64, 3), np.uint8)
    Image.fromarray(dark).save(data.folder / "e1.png")


@case(2, "e1.png", "grey", severity="warning")
def fundus_grey(data):
    Image.open(data.folder / "e1.png").convert("L").save(data.folder / "e1.png")


@case(2, "e1.png", "strip", severity="warning")
def fundus_strip(data):
    edit(data, 0, mask="")
    noise = np.random.default_rng(0).integers(0, 255, (40, 400, 3), np.uint8)
    Image.fromarray(noise).save(data.folder / "e1.png")


@case(2, "e1.png", "not an ordinary file")
def fundus_is_pipe(data):
    (data.folder / "e1.png").unlink()
    os.mkfifo(data.folder / "e1.png")


# --- masks ---------------------------------------------------------------------------


def ids_of(data):
    return np.array(Image.open(data.folder / "e1_mask.png"))


@case(2, "e1_mask.png", "0, 128, 255", "--layout=gamma", "--mask_codes=gamma")
def mask_gamma_codes(data):
    data.save_mask("e1_mask.png", np.array([255, 128, 0], np.uint8)[ids_of(data)])


@case(2, "e1_mask.png", "0, 1, 2, 3", "bg:VALUE,rim:VALUE,cup:VALUE")
def mask_extra_value(data):
    ids = ids_of(data)
    ids[0, 0] = 3
    data.save_mask("e1_mask.png", ids)


@case(2, "e1_mask.png", "different values")
def mask_antialiased(data):
    data.save_mask("e1_mask.png", np.arange(64 * 64).reshape(64, 64).astype(np.uint8))


@case(2, "e1_mask.png", "no optic disc", "only 0")
def mask_all_background(data):
    data.save_mask("e1_mask.png", np.zeros((64, 64), np.uint8))


@case(2, "e1_mask.png", "no optic disc", "only 0, 255")
def mask_binary_0_255(data):
    data.save_mask("e1_mask.png", np.where(ids_of(data) > 0, 255, 0).astype(np.uint8))


@case(2, "e1_mask.png", "no optic disc", "only 255")
def mask_all_ignored(data):
    data.save_mask("e1_mask.png", np.full((64, 64), 255, np.uint8))


@case(2, "e1_mask.png", "coloured picture")
def mask_rgb(data):
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[20:40, 20:40, 0] = 255
    data.save_mask("e1_mask.png", colours)


@case(2, "e1_mask.png", "transparent")
def mask_alpha(data):
    ids = ids_of(data)
    data.save_mask("e1_mask.png", np.stack([ids, ids, ids, 255 * (ids > 0).astype(np.uint8)], -1))


@case(2, "e1_mask.png", "values 0, 1, 300")
def mask_sixteen_bit(data):
    values = np.array([0, 1, 300], np.uint16)[ids_of(data)]
    data.save_mask("e1_mask.png", values)


@case(2, "e1_mask.png", "1 bit")
def mask_one_bit(data):
    data.save_mask("e1_mask.png", ids_of(data) > 0)


@case(2, "e1_mask.png", "0, 128, 255")
def mask_grey_palette_of_codes(data):
    image = Image.fromarray(np.array([2, 1, 0], np.uint8)[ids_of(data)], "P")
    image.putpalette([0, 0, 0, 128, 128, 128, 255, 255, 255])
    image.save(data.folder / "e1_mask.png")


@case(2, "e1_mask.jpg", "JPEG")
def mask_jpeg(data):
    data.save_mask("e1_mask.jpg", ids_of(data))
    edit(data, 0, mask="e1_mask.jpg")


@case(2, "e1_mask.png", "48 x 64 pixels", "64 x 64")
def mask_size_mismatch(data):
    data.save_mask("e1_mask.png", ids_of(data)[:, 8:56])


@case(2, "e1_mask.png", "turned by 90 degrees")
def mask_turned(data):
    wide = np.random.default_rng(0).integers(0, 255, (64, 80, 3), np.uint8)
    Image.fromarray(wide).save(data.folder / "e1.png")
    data.save_mask("e1_mask.png", np.pad(ids_of(data), ((8, 8), (0, 0))))


@case(2, "e1_mask.png", "truncated")
def mask_truncated(data):
    content = (data.folder / "e1_mask.png").read_bytes()
    (data.folder / "e1_mask.png").write_bytes(content[: len(content) - 30])


@case(2, "e1_mask.png", "does not exist")
def mask_missing(data):
    (data.folder / "e1_mask.png").unlink()


@case(2, "e1_mask.png", "absurd size")
def mask_absurd(data):
    (data.folder / "e1_mask.png").write_bytes(png_claiming(19999, 19999))


@case(2, "e1.png", "the mask is the photograph itself")
def mask_is_fundus(data):
    edit(data, 0, mask="e1.png")


@case(3, "e1_mask.png", "mask is that of another fundus (line 2)")
def mask_of_another(data):
    edit(data, 1, mask="e1_mask.png")


@case(2, "e1_mask.png", "swapped", severity="warning")
def mask_ids_swapped(data):
    data.save_mask("e1_mask.png", np.array([0, 2, 1], np.uint8)[ids_of(data)])


@case(2, "e1_mask.png", "of the picture disc", severity="warning")
def mask_inverted(data):
    data.save_mask("e1_mask.png", np.array([1, 0, 2], np.uint8)[ids_of(data)])


@case(2, "e1_mask.png", "outside the lit field", severity="warning")
def mask_outside_field(data):
    wide = np.zeros((64, 160, 3), np.uint8)
    wide[:, :64] = np.asarray(Image.open(data.folder / "e1.png"))
    Image.fromarray(wide).save(data.folder / "e1.png")
    data.save_mask("e1_mask.png", np.pad(ids_of(data), ((0, 0), (96, 0))))


# --- volumes -------------------------------------------------------------------------


def volume_of(data):
    return np.load(data.folder / "e1.npy").astype(np.float32)


@case(2, "e1.npy", "NaN or infinite", "2 of 1024")
def oct_not_finite(data):
    volume = volume_of(data)
    volume[0, 0, 0], volume[1, 1, 1] = np.nan, np.inf
    np.save(data.folder / "e1.npy", volume)


@case(2, "e1.npy", "(16, 16)", "three axes")
def oct_rank_two(data):
    np.save(data.folder / "e1.npy", volume_of(data)[0])


@case(2, "e1.npy", "(1, 4, 16, 16)", "three axes")
def oct_rank_four(data):
    np.save(data.folder / "e1.npy", volume_of(data)[None])


@case(2, "e1.npy", "no voxels")
def oct_empty(data):
    np.save(data.folder / "e1.npy", np.zeros((0, 16, 16), np.uint8))


@case(2, "e1.npy", "constant")
def oct_constant(data):
    np.save(data.folder / "e1.npy", np.full((4, 16, 16), 7, np.uint8))


@case(2, "e1.npy", "pickled")
def oct_objects(data):
    np.save(data.folder / "e1.npy", np.array([{"a": 1}], object), allow_pickle=True)


@case(2, "e1.npy", "no known form")
def oct_pickle(data):
    (data.folder / "e1.npy").write_bytes(pickle.dumps(volume_of(data)))


@case(2, "e1.npy", "complex64")
def oct_complex(data):
    np.save(data.folder / "e1.npy", volume_of(data).astype(np.complex64))


@case(2, "e1.npy", "truncated")
def oct_truncated(data):
    content = (data.folder / "e1.npy").read_bytes()
    (data.folder / "e1.npy").write_bytes(content[:-100])


@case(2, "e1.npy", "0 bytes")
def oct_zero_bytes(data):
    (data.folder / "e1.npy").write_bytes(b"")


@case(2, "e1.npz", "exactly one array", "a, b")
def oct_npz_two_arrays(data):
    np.savez(data.folder / "e1.npz", a=volume_of(data), b=volume_of(data))
    edit(data, 0, oct="e1.npz")


@case(2, "e1.npz", "absurd size", "60000")
def oct_npz_bomb(data):
    header = {"descr": "|u1", "fortran_order": False, "shape": (60000, 60000, 60000)}
    body = io.BytesIO()
    np.lib.format.write_array_header_1_0(body, header)
    with zipfile.ZipFile(data.folder / "e1.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", body.getvalue() + b"\0" * 10000)
    edit(data, 0, oct="e1.npz")


@case(2, "scans", "folder without pictures")
def oct_folder_empty(data):
    (data.folder / "scans").mkdir()
    (data.folder / "scans" / "notes.txt").write_text("x")
    edit(data, 0, oct="scans")


def write_scans(data, count=4):
    (data.folder / "scans").mkdir()
    for index, b_scan in enumerate(np.random.default_rng(9).integers(0, 255, (count, 16, 16))):
        Image.fromarray(b_scan.astype(np.uint8)).save(data.folder / f"scans/{index}_image.png")
    edit(data, 0, oct="scans")


@case(2, "2_image.png", "16 x 12", "16 x 16")
def oct_folder_unequal(data):
    write_scans(data)
    Image.fromarray(np.zeros((16, 12), np.uint8)).save(data.folder / "scans/2_image.png")


@case(2, "3_image.png", "truncated")
def oct_folder_truncated(data):
    write_scans(data)
    content = (data.folder / "scans/3_image.png").read_bytes()
    (data.folder / "scans/3_image.png").write_bytes(content[:80])


@case(2, "scans", "same slice twice")
def oct_folder_twice(data):
    write_scans(data)
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(data.folder / "scans/02_image.bmp")


@case(2, "scans", "lacks 1 slices: 2", severity="warning")
def oct_folder_gap(data):
    write_scans(data, 8)
    (data.folder / "scans/2_image.png").unlink()


@case(2, "e1.npy", "single slice", severity="warning")
def oct_one_slice(data):
    np.save(data.folder / "e1.npy", volume_of(data)[:1])


@case(2, "e1.npy", "B-scans of 16 x 1 pixels are absurd")
def oct_thin(data):
    np.save(data.folder / "e1.npy", volume_of(data)[..., :1])


@case(2, "e1.png", "no known form")
def oct_is_picture(data):
    edit(data, 0, oct="e1.png")


@case(3, "e1.npy", "oct is that of another patient (line 2)")
def oct_of_another(data):
    edit(data, 1, oct="e1.npy")


@case(2, "gone.npy", "oct does not exist")
def oct_missing(data):
    edit(data, 0, oct="gone.npy")


# --- identities and splits -----------------------------------------------------------


@case(3, "id 'e1' is already that of line 2")
def id_twice(data):
    edit(data, 1, id="e1")


@case(3, "id 'E1' differs only in case")
def id_twice_in_other_case(data):
    edit(data, 1, id="E1")


@case(2, "id is empty")
def id_empty(data):
    edit(data, 0, id="")


@case(2, "id '../x' holds '/'")
def id_with_slash(data):
    edit(data, 0, id="../x")


@case(2, "must not start with '.'")
def id_dots(data):
    edit(data, 0, id="..")


@case(2, "holds '\\\\'")
def id_with_backslash(data):
    edit(data, 0, id="a\\b")


@case(2, "holds '\\t'")
def id_with_tab(data):
    edit(data, 0, id="a\tb")


@case(2, "longer than 120 bytes")
def id_too_long(data):
    edit(data, 0, id="x" * 300)


@case(2, "reserved file name")
def id_reserved(data):
    edit(data, 0, id="con")


@case(2, "patient is empty")
def patient_empty(data):
    edit(data, 0, patient="")


@case(5, "patient 'p1' is in val here and in train on line 2")
def patient_in_two_splits(data):
    edit(data, 3, patient="p1")


@case(5, "patient 'P1'", "same person?", severity="warning")
def patient_in_two_splits_in_other_case(data):
    edit(data, 3, patient="P1")


@case(5, "patient 'P-01'", "(written 'p1' there", severity="warning")
def patient_in_two_splits_in_other_digits(data):
    edit(data, 3, patient="P-01")


@case(6, "fundus is already that of line 2", "the splits share an eye")
def fundus_in_two_splits(data):
    edit(data, 4, fundus="./e1.png", mask="", oct="")


@case(3, "fundus is already that of line 2", severity="warning")
def fundus_twice_in_train(data):
    edit(data, 1, fundus="e1.png")


@case(6, "copy of", "e1.png (line 2)", "the splits share an eye")
def fundus_copied_to_test(data):
    (data.folder / "e5.png").write_bytes((data.folder / "e1.png").read_bytes())


@case(6, "copy of", "e1.npy (line 2)", "the splits share an eye")
def oct_copied_to_test(data):
    (data.folder / "e5.npy").write_bytes((data.folder / "e1.npy").read_bytes())


@case(2, "split 'training'", "write 'train'")
def split_long_name(data):
    edit(data, 0, split="training")


@case(2, "split 'Train'", "write 'train'")
def split_in_capitals(data):
    edit(data, 0, split="Train")


@case(2, "split 'fold1' is none of")
def split_unknown(data):
    edit(data, 0, split="fold1")


@case(2, "grade '3' is none of 0, 1, 2")
def grade_too_high(data):
    edit(data, 0, grade="3")


@case(2, "grade '-1' is none of")
def grade_negative(data):
    edit(data, 0, grade="-1")


@case(2, "grade '1.0'", "write 1")
def grade_float(data):
    edit(data, 0, grade="1.0")


@case(2, "grade '1.5' is none of")
def grade_half(data):
    edit(data, 0, grade="1.5")


@case(2, "grade 'nan' is none of")
def grade_nan(data):
    edit(data, 0, grade="nan")


@case(2, "grade 'early' is none of", "normal, early")
def grade_in_words(data):
    edit(data, 0, grade="early")


@case(2, "grade '\u0661' ")
def grade_in_other_digits(data):
    edit(data, 0, grade="\u0661")


# --- paths ---------------------------------------------------------------------------


@case(2, "../outside.png", "leaves the folder")
def path_dots(data):
    Image.open(data.folder / "e1.png").save(data.folder.parent / "outside.png")
    edit(data, 0, fundus="../outside.png")


@case(2, "absolute")
def path_absolute(data):
    edit(data, 0, fundus=str(data.folder / "e1.png"))


@case(2, "absolute")
def path_windows_drive(data):
    edit(data, 0, fundus="C:\\eyes\\e1.png")


@case(2, "absolute")
def path_home(data):
    edit(data, 0, fundus="~/e1.png")


@case(2, "backslashes")
def path_windows_separators(data):
    edit(data, 0, fundus="images\\e1.png")


@case(2, "is an address")
def path_address(data):
    edit(data, 0, fundus="https://example.org/e1.png")


@case(2, "link that leaves the folder")
def path_link_out(data):
    outside = data.folder.parent / "outside.png"
    (data.folder / "e1.png").rename(outside)
    (data.folder / "e1.png").symlink_to(outside)


@case(2, "link that leaves the folder")
def path_linked_folder_out(data):
    outside = data.folder.parent / "outside"
    outside.mkdir()
    Image.open(data.folder / "e1.png").save(outside / "e1.png")
    (data.folder / "inside").symlink_to(outside)
    edit(data, 0, fundus="inside/e1.png")


@case(2, "scans", "holds a link that leaves the folder: '1_image.png'")
def path_link_out_of_a_folder(data):
    write_scans(data)
    outside = data.folder.parent / "outside.png"
    (data.folder / "scans/1_image.png").rename(outside)
    (data.folder / "scans/1_image.png").symlink_to(outside)


@case(2, "link to a file that does not exist")
def path_link_broken(data):
    (data.folder / "e1.png").unlink()
    (data.folder / "e1.png").symlink_to("gone.png")


@case(2, "there is 'e1.png'")
def path_in_other_case(data):
    edit(data, 0, fundus="E1.PNG")


@case(2, "there is 'e1.npy'")
def path_with_other_suffix(data):
    edit(data, 0, oct="e1.npz")


@pytest.mark.parametrize("name", CASES)
def test_fault_is_reported_and_nothing_else(data_set, name):
    break_it, line, words, severity = CASES[name]
    break_it(data_set)
    data_set.write()
    problems = data_set.check()
    wanted = [
        problem
        for problem in problems
        if problem.row == line
        and problem.severity == severity
        and all(word in str(problem) for word in words)
    ]
    assert wanted, "\n".join(map(str, problems)) or "nothing reported"
    # One fault may have consequences in its own row, but none elsewhere.
    assert {problem.row for problem in problems} == {line}, "\n".join(map(str, problems))
    assert bool(errors(problems)) == (severity == "error")


def test_a_mask_without_a_disc_is_not_doubted_for_where_that_lies(data_set):
    mask_binary_0_255(data_set)
    data_set.write()
    assert not [problem for problem in data_set.check() if "lit field" in problem.reason]


def test_faultless_data_have_no_problem(data_set):
    data_set.write()
    assert data_set.check(need=("train", "eval", "predict")) == []


def test_all_faults_of_all_rows_are_listed_at_once(data_set):
    """One each of the faults of the contract, several in one row."""
    edit(data_set, 0, grade="7", split="dev", oct="gone.npy")  # Its files are opened nonetheless.
    data_set.save_mask("e1_mask.png", np.full((64, 64), 128, np.uint8))
    (data_set.folder / "e2.png").write_bytes(b"")
    edit(data_set, 2, id="e1", fundus="../x.png")
    edit(data_set, 3, patient="p2")
    np.save(data_set.folder / "e4.npy", np.full((4, 16, 16), np.nan))
    (data_set.folder / "e5.png").write_bytes(png_claiming(30000, 30000))
    data_set.write()
    told = [(problem.row, str(problem)) for problem in errors(data_set.check())]
    for line, word in (
        (2, "grade '7'"), (2, "split 'dev'"), (2, "gone.npy"), (2, "holds the values 128"),
        (3, "0 bytes"), (4, "id 'e1'"), (4, "leaves the folder"), (5, "patient 'p2'"),
        (5, "NaN"), (6, "absurd size"),
    ):  # fmt: skip
        assert any(row == line and word in text for row, text in told), (line, word, told)
    assert [row for row, _ in told] == sorted(row for row, _ in told)


def test_reading_raises_with_all_problems_of_the_table(data_set):
    edit(data_set, 0, grade="7")
    edit(data_set, 3, patient="p2")
    data_set.write()
    with pytest.raises(ManifestError) as raised:
        read_manifest(data_set.path)
    assert {problem.row for problem in raised.value.problems} == {2, 5}
    assert "2 errors, 0 warnings" in str(raised.value)


def test_shallow_check_opens_no_file(data_set):
    (data_set.folder / "e1.png").write_bytes(b"")
    data_set.write()
    assert check_manifest(data_set.path, deep=False) == []
    assert errors(check_manifest(data_set.path, deep=True))
