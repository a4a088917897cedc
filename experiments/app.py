"""A local page to drop a photograph on, with an OCT volume if there is one.

python -m experiments.app --workdir=runs/imo

Needs the extra '.[app]'. It listens on this machine alone unless --host says otherwise, keeps
nothing after the session, and tells nobody of its use.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.runtime import UserError, complain, set_up  # isort: skip

import imo_jax
from data_pipelines.phantom import make_phantom
from experiments.program_end import is_out_of_memory
from imo_jax.metrics.disc_measures import Side
from imo_jax.predictor import EyePredictor, EyeResult
from imo_jax.report.eye_answer import in_words, rim_profile

LARGEST = 512  # megabytes of a file that is taken
AT_ONCE = 2  # eyes that are predicted at the same time; further ones wait
SIDE_NOT_KNOWN = "not known"
SIDES: dict[str, Side | None] = {SIDE_NOT_KNOWN: None, "right (OD)": "OD", "left (OS)": "OS"}
KEPT = 600  # seconds that files of a session stay on disk at most

# Gradio asks nobody for anything and tells nobody of its use.
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}

WARNING = (
    "**Research software, not a medical device.** Nothing it says of a person's eye may be used to "
    "treat that person."
)
STYLE = """
.chart text { fill: currentColor; font-size: 11px; } .chart .grid { stroke: #8886; }
.chart .line { fill: none; stroke: #0072b2; stroke-width: 2; } .chart { max-width: 28rem; }
"""

# Gradio's icons say nothing, and its pictures have no words: for screen readers the former are hidden
# and the latter are called by what is said of the eye.
NAMES = """
() => new MutationObserver(() => {
  for (const icon of document.querySelectorAll("svg:not([role], [aria-hidden])")) {
    icon.setAttribute("aria-hidden", "true");
  }
  const shown = { picture: "Outlines and uncertainty", evidence: "What the grade rests on" };
  for (const [place, what] of Object.entries(shown)) {
    const picture = document.querySelector(`#${place} img`);
    const said = `${what}, ${document.querySelector("#said")?.innerText.trim()}`;
    if (picture && picture.alt !== said) picture.alt = said;
  }
}).observe(document.body, { childList: true, subtree: true })
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.app", description=__doc__)
    parser.add_argument("--workdir", default="runs/imo", help="folder of a trained run on eyes")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=None, help="default: the first free from 7860")
    options = parser.parse_args(arguments)
    set_up()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the session's folder goes
    try:
        with session_folder() as folder:
            page, settings = make_page(opened(options.workdir), folder)
            page.launch(server_name=options.host, server_port=options.port, **settings)
    except UserError as error:
        complain(error)
        return 2
    return 0


def asker_words(error: Exception) -> str | None:
    """What an asker can do something about; None of an error that is the program's own."""
    if isinstance(error, ValueError):
        return without_folders(str(error))
    if is_out_of_memory(error):
        return "There is not enough memory for a prediction now: end other programs and ask again."
    return None


def opened(workdir: str) -> EyePredictor:
    """The predictor of a run on eyes; UserError where there is none."""
    try:
        predictor = imo_jax.load(workdir)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    if not isinstance(predictor, EyePredictor):
        raise UserError(f"{workdir} holds a network for OCT volumes; the page is for photographs")
    return predictor


@contextlib.contextmanager
def session_folder() -> Iterator[pathlib.Path]:
    """A folder for all that the page keeps, gone with it; set before Gradio is imported."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="imo_jax_page_", ignore_cleanup_errors=True) as name:
        os.environ |= {"GRADIO_TEMP_DIR": name, **QUIET}
        try:
            yield pathlib.Path(name)
        finally:
            os.environ.clear()
            os.environ.update(before)


def make_page(predictor: EyePredictor, folder: pathlib.Path) -> tuple[Any, dict[str, Any]]:
    """The page (gradio.Blocks), and the settings it is to be launched with.

    Args:
      predictor: that is asked.
      folder: for downloads and the example, see `session_folder`.
    """
    gradio = _gradio()

    def ask(
        photograph: str | None, volume: str | None, spacing: float | None, side: str
    ) -> tuple[Any, ...]:
        try:
            return answer(predictor, photograph, volume, folder, spacing or None, SIDES[side])
        except Exception as error:
            if (words := asker_words(error)) is None:
                raise
            raise gradio.Error(words) from error

    with gradio.Blocks(title="imo_jax", analytics_enabled=False, delete_cache=(60, KEPT)) as page:
        gradio.Markdown(f"# Optic disc, cup and glaucoma grade\n{WARNING}")
        with gradio.Row():
            photograph = gradio.File(
                label="Fundus photograph", type="filepath", elem_id="photograph"
            )
            volume = gradio.File(
                label="OCT volume (may be missing)", type="filepath", elem_id="volume"
            )
        spacing = gradio.Number(0, label="mm per pixel on the retina (0: not known)", elem_id="mm")
        side = gradio.Radio(
            list(SIDES), value=SIDE_NOT_KNOWN, label="Side of the eye", elem_id="side"
        )
        with gradio.Row():
            predict = gradio.Button("Predict", variant="primary", elem_id="predict")
            example = gradio.Button("Example eye (a phantom)", elem_id="example")
        said = gradio.Markdown(elem_id="said")
        picture = gradio.Image(
            label="Outlines and uncertainty", show_label=False, format="png", elem_id="picture",
            buttons=["download", "fullscreen"],
        )  # fmt: skip
        with gradio.Row():
            grades = gradio.Label(label="Grade")
            rim = gradio.HTML(label="Rim around the disc")
            evidence = gradio.Image(
                label="What the grade rests on: red speaks for it", format="png",
                elem_id="evidence", buttons=["download", "fullscreen"],
            )  # fmt: skip
        files = gradio.File(
            label="Mask, picture and numbers", file_count="multiple", elem_id="files"
        )
        outputs = [said, picture, grades, rim, evidence, files]
        inputs = [photograph, volume, spacing, side]
        predict.click(ask, inputs, outputs, concurrency_limit=AT_ONCE)
        example.click(lambda: example_eye(folder), None, [photograph, volume]).then(
            ask, inputs, outputs, concurrency_limit=AT_ONCE
        )
    theme = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    settings = {
        "share": False, "max_file_size": LARGEST * 2**20, "theme": theme, "css": STYLE,
        "js": NAMES, "footer_links": [], "enable_monitoring": False, "mcp_server": False,
        "ssr_mode": False,
    }  # fmt: skip
    return page, settings


def answer(
    predictor: EyePredictor,
    photograph: str | None,
    volume: str | None,
    folder: pathlib.Path,
    mm_per_pixel: float | None = None,
    eye: Side | None = None,
) -> tuple[str, Any, dict[str, float] | None, str, Any, list[str]]:
    """What the page shows of an eye: words, picture, grades, the rim's profile, what the grade rests
    on, downloads.

    Raises:
      ValueError: nothing was given, or it cannot be read; the message says why.
    """
    if photograph is None:
        raise ValueError("give a photograph first")
    result = predictor.predict(photograph, volume, mm_per_pixel=mm_per_pixel, eye=eye)
    evidence = predictor.grade_evidence(photograph, volume, eye=eye)
    return (
        in_words(result),
        result.overlay(),
        result.grade_probabilities,
        rim_profile(result),
        None if evidence is None else evidence.picture(),
        [str(downloads(result, folder))],
    )


def downloads(result: EyeResult, folder: pathlib.Path) -> pathlib.Path:
    """A zip file of mask, uncertainty, overlay and JSON, in a folder of its own."""
    target = pathlib.Path(tempfile.mkdtemp(dir=folder))
    result.save(target / "eye")
    path = target / f"{result.id}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for part in sorted((target / "eye").iterdir()):
            file.write(part, part.name)
            part.unlink()
    return path


def example_eye(folder: pathlib.Path) -> tuple[str, str]:
    """Photograph and volume of a phantom eye, made once."""
    root = make_phantom(folder / "example", eyes=2, seed=7, workers=1)
    photograph = min((root / "fundus").glob("*.jpg"))
    return str(photograph), str(min((root / "oct").glob(f"{photograph.stem}*.npy")))


def without_folders(message: str) -> str:
    """A message about files that names them without the page's own folders."""
    words = (
        pathlib.Path(word).name if word.startswith("/") else word for word in message.split(" ")
    )
    return " ".join(words)


def _gradio() -> Any:
    try:
        import gradio
    except ImportError as error:
        raise UserError("the page needs Gradio: pip install -e '.[app]'") from error
    return gradio


if __name__ == "__main__":
    sys.exit(main())
