"""The local page (experiments.app) in a real browser, `pytest -m browser`."""

import base64
import io
import pathlib
import re

import pytest
from PIL import Image

from experiments import app

pytestmark = pytest.mark.browser

keys = pytest.importorskip("selenium.webdriver").Keys
pytest.importorskip("gradio")

RUN = pathlib.Path(__file__).resolve().parents[1] / "run_folders" / "imo"
ERRORS = ".toast-body.error"

# Drops a file on an element, as a person does from a folder.
DROP = """
const [zone, name, data] = arguments;
const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
const held = new DataTransfer();
held.items.add(new File([bytes], name));
for (const kind of ["dragenter", "dragover", "drop"]) {
  zone.dispatchEvent(new DragEvent(kind, { dataTransfer: held, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture(scope="module")
def address():
    """The page, served on this machine."""
    with app.session_folder() as folder:
        page, settings = app.make_page(app.opened(str(RUN)), folder)
        _, local, _ = page.launch(
            server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, inbrowser=False,
            **settings,
        )  # fmt: skip
        yield local
        page.close()


@pytest.fixture(scope="module")
def eye(tmp_path_factory):
    return app.example_eye(tmp_path_factory.mktemp("eye"))


@pytest.fixture
def said_by_libraries():
    return ('"Method not implemented."',)  # Gradio, when a file is sent


@pytest.fixture
def page(open_page, address):
    found = open_page(address)
    found.wait(lambda: found.all("#photograph"), 60)
    return found


def drop(page, place, path):
    zone = page.one(f"#{place} button")
    data = base64.b64encode(pathlib.Path(path).read_bytes()).decode("ascii")
    page.browser.execute_script(DROP, zone, pathlib.Path(path).name, data)
    page.wait(lambda: pathlib.Path(path).stem[:8] in page.one(f"#{place}").text)


def predict(page):
    page.one("#predict").send_keys(keys.ENTER)


def test_an_eye_that_is_dropped_is_shown_with_its_outline(page, eye):
    photograph, volume = eye
    drop(page, "photograph", photograph)
    drop(page, "volume", volume)
    predict(page)
    picture = page.wait(lambda: page.all("#picture img"), 120)[0]
    page.wait(lambda: picture.get_property("naturalWidth") > 300)
    said = page.one("#said").text
    assert pathlib.Path(photograph).stem in said and "grade" in said
    source = picture.get_attribute("src")
    data = page.browser.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0]).then((r) => r.arrayBuffer())"
        ".then((b) => done(Array.from(new Uint8Array(b))));",
        source,
    )
    shown = Image.open(io.BytesIO(bytes(data)))
    assert shown.width > shown.height  # the photograph, the disc, the outlines beside each other
    assert page.wait(lambda: page.all("#files a"), 20)


def test_a_bad_file_is_answered_in_words_without_folders(page, tmp_path):
    bad = tmp_path / "holiday.jpg"
    bad.write_bytes(b"no picture at all")
    drop(page, "photograph", bad)
    predict(page)
    said = page.wait(lambda: [e.text for e in page.all(ERRORS)], 60)[0]
    assert "holiday.jpg: is not a JPEG, PNG, TIFF or BMP picture" in said
    assert not re.search(r"/(tmp|home|var)/", said)


def test_nothing_given_is_answered_in_words(page):
    predict(page)
    said = page.wait(lambda: [e.text for e in page.all(ERRORS)], 60)[0]
    assert "photograph first" in said


def test_the_example_is_predicted_by_the_keyboard(page):
    page.one("#example").send_keys(keys.ENTER)
    page.wait(lambda: page.all("#picture img"), 120)
    assert "grade" in page.one("#said").text


def test_all_that_is_shown_has_a_name(page):
    assert page.unnamed() == []
    page.one("#example").send_keys(keys.ENTER)
    page.wait(lambda: page.all("#picture img"), 120)
    page.wait(lambda: "grade" in page.one("#picture img").get_attribute("alt"))
    assert page.unnamed() == []


def test_it_says_that_it_is_no_medical_device(page):
    assert "not a medical device" in page.one("body").text
