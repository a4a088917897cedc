"""A browser for the tests of pages."""

import shutil

import pytest


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium that can reach nothing but this machine."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
                 "disable-sync", "disable-background-networking", "disable-component-update",
                 "window-size=1200,1000", f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
                 "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    found = webdriver.Chrome(options=options, service=service)
    yield found
    found.quit()


class Page:
    """A page that is open in the browser."""

    def __init__(self, browser):
        self.browser = browser

    def all(self, selector):
        """The elements that a CSS selector finds."""
        return self.browser.find_elements("css selector", selector)

    def one(self, selector):
        (element,) = self.all(selector)
        return element

    def cards(self):
        """Ids of the gallery's cards, in the order in which they stand."""
        return [card.get_attribute("data-id") for card in self.all("#gallery .card")]

    def choose(self, selector, value):
        """Chooses in a list, as a person does."""
        self.one(f"{selector} option[value='{value}']").click()

    def wait(self, condition, seconds=10):
        """What the condition gives once it is true."""
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, seconds).until(lambda _: condition())

    def media(self, **settings):
        """Sets the medium, or features of it, as prefers_color_scheme="dark"."""
        features = [
            {"name": name.replace("_", "-"), "value": value}
            for name, value in settings.items()
            if name != "media"
        ]
        given = {"features": features} | {k: v for k, v in settings.items() if k == "media"}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", given)

    def unnamed(self):
        """Roles of what can be used or seen but has no name for a screen reader."""
        nodes = self.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        need = {"button", "combobox", "checkbox", "slider", "spinbutton", "textbox", "link", "dialog",
                "img", "image", "region", "form", "option"}  # fmt: skip
        return [
            node["role"]["value"]
            for node in nodes
            if not node["ignored"]
            and node["role"]["value"] in need
            and not node.get("name", {}).get("value", "").strip()
        ]


@pytest.fixture
def said_by_libraries():
    """What may stand in the console, for a library of the page says it whatever is done."""
    return ()


@pytest.fixture
def open_page(browser, said_by_libraries):
    """address -> Page; in the end nothing may stand in the console: no error, nothing not fetched."""
    browser.get_log("browser")

    def opened(address):
        browser.get(address)
        return Page(browser)

    yield opened
    said = [f"{entry['level']}: {entry['message']}" for entry in browser.get_log("browser")]
    assert [line for line in said if not line.endswith(said_by_libraries)] == []
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
