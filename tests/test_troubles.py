"""Troubles that people had with tools like this one, by kind, and the test that holds each here."""

import ast
import pathlib

import pytest

TESTS = pathlib.Path(__file__).parent

# kind -> trouble -> file and function of the test that failed before it was mended.
TROUBLES = {
    "numbers that are taken for others": {
        "TIFF whose white is 0": "data_pipelines/test_volumes.py::test_a_tiff_negative_is_turned_over",
        "palette TIFF": "data_pipelines/test_volumes.py::test_a_palette_tiff_is_refused",
        "negative rescale slope": "data_pipelines/test_volumes.py::test_what_makes_a_dicom_a_negative",
        "floats a little beyond 0..1 and 0..255, logarithms, decibel":
            "data_pipelines/test_volumes.py::test_the_range_of_floats_is_robust",
        "fill values": "data_pipelines/test_volume_numbers.py::test_a_fill_value_is_black_and_said",
        "black and white that cannot be known":
            "data_pipelines/test_volume_numbers.py::test_what_cannot_be_known_is_refused_until_it_is_said",
        "volumes of one set by different scales":
            "data_pipelines/test_volume_form.py::test_a_set_of_different_numbers_is_doubted_once",
        "12 bits in a 16-bit photograph":
            "imo_jax/predictor/test_eyes.py::test_what_check_would_doubt_is_said_of_a_prediction_too",
    },
    "what is where in a volume": {
        "slices last": "data_pipelines/test_quality.py::test_slices_that_come_last_are_doubtful",
        "depth first": "data_pipelines/test_quality.py::test_depth_that_comes_first_is_doubtful",
        "said by flag or column":
            "data_pipelines/test_volume_form.py::test_a_column_says_it_of_its_row_and_a_flag_of_the_others",
        "frames of a DICOM file out of order":
            "data_pipelines/test_volumes.py::test_dicom_frames_come_in_the_order_in_which_they_lie",
        "en-face picture among B-scans":
            "data_pipelines/test_volumes.py::test_a_coloured_picture_among_b_scans_is_refused",
    },
    "pictures that are not what they should be": {
        "colour photograph as OCT": "data_pipelines/test_vendor_files.py::test_a_photograph_is_no_volume",
        "thumbnail before the photograph":
            "data_pipelines/test_images.py::test_of_a_tiff_of_several_pages_the_largest_is_the_photograph",
        "black, white, tiny, noise":
            "imo_jax/predictor/test_eyes.py::test_what_is_no_photograph_is_refused_with_its_reason",
        "blurred": "data_pipelines/test_quality.py::test_blur_is_doubted_and_darkness_and_contrast_are_no_blur",
        "disc only, cup equal to disc, two discs, islands":
            "data_pipelines/manifest/test_mask_doubts.py::test_what_no_eye_looks_like_is_doubted",
        "mask that was a JPEG": "data_pipelines/test_images.py::test_a_mask_that_was_a_jpeg_once_is_told_so",
        "mask as .npy": "data_pipelines/test_images.py::test_a_mask_may_be_an_array",
        "TIFF of floats":
            "data_pipelines/test_images.py::test_a_floating_point_tiff_is_not_called_damaged_alone",
    },
    "labels and people that get lost": {
        "Grades.csv, and tables that nobody reads":
            "data_pipelines/manifest/test_imo_and_folder.py::"
            "test_grades_are_found_in_any_case_and_other_tables_are_named",
        "007 and 7 in two splits":
            "data_pipelines/manifest/test_likely_names.py::test_two_spellings_in_two_splits_are_doubted_once_each",
        "no volume under a network that takes them":
            "data_pipelines/manifest/test_read_write.py::"
            "test_a_set_without_volumes_under_a_network_that_takes_them_is_a_warning",
        "kappa of one grade": "imo_jax/metrics/test_grading.py::test_kappa_special_values",
    },
    "names": {
        "Unicode form, case, lost zeros":
            "data_pipelines/manifest/test_likely_names.py::test_the_file_that_was_meant_is_named",
        "header in capitals, sep=, semicolons":
            "data_pipelines/manifest/test_likely_names.py::test_the_header_of_a_spreadsheet_is_understood",
        "__MACOSX, Thumbs.db":
            "data_pipelines/manifest/test_imo_and_folder.py::test_what_a_system_left_in_a_folder_is_passed_over",
        "__MACOSX inside an .npz":
            "data_pipelines/test_volumes.py::test_an_npz_is_its_array_whatever_a_system_put_beside",
        "folder of DICOM slices": "data_pipelines/test_volumes.py::test_a_folder_of_dicom_slices_is_a_volume",
        "DICOM without preamble": "data_pipelines/test_volumes.py::test_dicom_without_preamble_is_read",
        "truncated .npz": "data_pipelines/test_volumes.py::test_a_cut_npz_is_said_to_be_cut",
    },
    "settings": {
        "a run shorter than its warm-up":
            "experiments/test_sizes.py::test_a_run_that_is_shorter_than_its_warmup_warms_up_in_a_tenth",
        "several senseless values": "experiments/test_sizes.py::test_bad_values_are_all_said_at_once",
        "a start that is refused": "experiments/test_program_end.py::test_a_start_that_is_refused_leaves_no_folder",
        "text for a number": "imo_jax/settings/test_saved.py::test_what_cannot_be_read_is_said",
        "run of another program": "end_to_end/test_older_runs.py::test_a_program_says_whose_run_a_folder_holds",
        "a command line that cannot be parsed":
            "experiments/test_program_end.py::test_a_command_line_that_cannot_be_parsed_is_one_sentence",
    },
    "run folders and systems": {
        "no HOME": "experiments/test_program_end.py::test_a_user_without_a_home_has_a_cache",
        "folders that cannot be written":
            "imo_jax/predictor/test_eyes.py::test_a_folder_that_cannot_be_written_is_told_in_a_sentence",
        "checkpoint cut short": "imo_jax/test_checkpoints.py::test_a_damaged_checkpoint_is_said_and_another_one_used",
        "full disk": "experiments/test_runtime.py::test_a_full_disk_is_not_told_by_the_threads_that_write_beside",
        "Ctrl-C while libraries load":
            "experiments/test_program_end.py::test_an_interrupt_while_libraries_are_imported_is_one_line",
        "two trainings in one folder":
            "experiments/test_program_end.py::test_a_folder_in_use_says_by_whom_and_is_free_when_that_process_is_gone",
        "files half-written":
            "imo_jax/test_atomic_files.py::test_a_file_that_is_not_finished_leaves_the_old_one_and_nothing_beside_it",
        "killed": "end_to_end/test_kill_and_resume.py::test_two_kills_change_no_bit",
    },
    "weights as people bring them": {
        "NaN": "imo_jax/weights/test_as_people_bring_them.py::test_nan_and_infinity_are_refused_by_name",
        "prefixes": "imo_jax/weights/test_as_people_bring_them.py::test_prefixes",
        "nests": "imo_jax/weights/test_as_people_bring_them.py::test_nests",
        "masked autoencoders": "imo_jax/weights/test_as_people_bring_them.py::test_a_masked_autoencoder_gives_its_encoder",
        "fine-tuned fc_norm":
            "imo_jax/weights/test_as_people_bring_them.py::test_the_norm_of_the_mean_comes_from_fine_tuned_files",
        "pages, pointers, archives": "imo_jax/weights/test_as_people_bring_them.py::test_what_is_no_weights_file_is_named",
        "members that are no arrays": "imo_jax/weights/test_files.py::test_a_member_that_is_no_array_is_named",
    },
    "against the papers": {
        "no validation split": "end_to_end/test_without_validation.py::test_a_run_without_a_validation_split_takes_its_last_step",
        "the same of screening":
            "end_to_end/test_without_validation.py::test_screening_without_a_validation_split_takes_its_last_step",
        "the same of tables":
            "end_to_end/test_without_validation.py::test_a_table_without_a_validation_split_takes_one_rate_and_the_last_steps",
        "raw volumes for the 3-D ResNet":
            "experiments/screening/test_config.py::test_the_3d_resnet_sees_raw_volumes_and_the_3d_cnn_downsampled_ones",
        "a rate in each fold":
            "experiments/comparison/test_runs.py::test_each_fold_chooses_its_rate_on_its_own_validation_eyes",
        "validation on a sample": "experiments/screening/test_prediction.py::test_the_papers_validations_are_a_sample",
    },
}  # fmt: skip


def functions_of(path: pathlib.Path) -> set[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("kind", TROUBLES)
def test_each_trouble_has_its_test(kind):
    missing = []
    for trouble, place in TROUBLES[kind].items():
        file, _, function = place.partition("::")
        path = TESTS / file
        if not path.is_file() or function not in functions_of(path):
            missing.append(f"{trouble}: {place}")
    assert missing == []
