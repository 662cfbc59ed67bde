"""A report of four runs in headless Chromium: what a reader's browser makes of it."""

import csv
import json
import re
import shutil
from dataclasses import replace
from urllib.parse import unquote

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from cifar_linear.report.collecting import Collection, collect
from cifar_linear.report.writing import write_report

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory, make_four_runs):
    """The report's file."""
    root = tmp_path_factory.mktemp("browser")
    return write_report(collect([make_four_runs(root)]), root / "out")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                     "disable-component-update", "disable-sync", "window-size=1200,900"):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


def open_page(browser, page):
    browser.get(page.as_uri())
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script("return document.readyState") == "complete")
    return browser


def column(browser, number):
    return [cell.text for cell in browser.find_elements("css selector", f"#table tbody tr > :nth-child({number})")]


def test_page_asks_the_network_for_nothing_and_the_console_stays_empty(browser, page):
    open_page(browser, page)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    asked = [request["request"]["url"] for request in requests if request["documentURL"] == page.as_uri()]
    assert asked[0] == page.as_uri()
    assert all(address.startswith("data:") for address in asked[1:])
    assert browser.get_log("browser") == []


def test_every_picture_is_shown(browser, page):
    open_page(browser, page)
    widths = browser.execute_script("return [...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 7 + 2  # the ink of the two sheets of templates apart
    assert min(widths) > 400


def figure(browser, name):
    return browser.find_element("css selector", f"figure.chart[data-name='{name}']")


def paths(chart):
    """The lines of a chart's panels, as they are drawn."""
    return [path.get_attribute("d") for path in chart.find_elements("css selector", "path.line")]


def button(chart, text):
    return next(found for found in chart.find_elements("tag name", "button") if found.text == text)


def test_charts_are_drawn_from_the_tables_of_their_numbers(browser, page):
    """A line for each run in each panel, and the picture gives way; a table holds the same numbers."""
    open_page(browser, page)
    chart = figure(browser, "cost")
    assert len(paths(chart)) == 2 * 4
    assert not chart.find_element("tag name", "img").is_displayed()
    bodies = chart.find_elements("css selector", ".numbers tbody")
    assert [body.get_attribute("data-panel") for body in bodies] == ["training"] * 4 + ["validation"] * 4
    assert len(bodies[0].find_elements("tag name", "tr")) == 1 + 5


def test_values_are_read_under_the_pointer_and_from_the_keyboard(browser, page):
    """The same words for both, those of metrics.csv; the keyboard's are announced."""
    open_page(browser, page)
    chart = figure(browser, "accuracy")
    panel = chart.find_elements("css selector", ".panel svg[tabindex]")[1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", panel)
    panel.send_keys(Keys.END)
    readout = chart.find_elements("css selector", ".readout")[1]
    said = readout.text
    assert said.startswith("epoch 4\n")
    ends = {f"{100 * run.last['validation_accuracy']:.5g}" for run in collect([page.parent.parent / "runs"]).runs}
    assert {line.rpartition(": ")[2] for line in said.splitlines()[1:]} == ends
    assert chart.find_element("css selector", "[role=status]").get_attribute("textContent") == said
    panel.send_keys(Keys.ARROW_LEFT)
    assert readout.text.startswith("epoch 3\n")
    panel.send_keys(Keys.ESCAPE)
    assert not readout.is_displayed()
    ActionChains(browser).move_to_element_with_offset(panel, panel.size["width"] // 2 - 130, 0).perform()
    assert readout.text.splitlines()[1:] == said.splitlines()[1:]


def test_a_run_is_switched_off_in_all_charts_and_on_again(browser, page):
    open_page(browser, page)
    charts = [figure(browser, name) for name in ("cost", "accuracy")]
    chosen = button(charts[0], "lambda 1, eta 0.003")
    chosen.click()
    assert [len(paths(chart)) for chart in charts] == [6, 6]
    assert button(charts[1], "lambda 1, eta 0.003").get_attribute("aria-pressed") == "false"
    chosen.click()
    assert [len(paths(chart)) for chart in charts] == [8, 8]


def test_the_axis_can_be_made_logarithmic_and_says_so(browser, page):
    open_page(browser, page)
    chart = figure(browser, "norms")
    titles = lambda: chart.find_element("css selector", ".panel text.title").text  # noqa: E731
    before, drawn = titles(), chart.find_element("css selector", "path.marks").get_attribute("d")
    button(chart, "logarithmic").click()
    assert (before, titles()) == ("|W|²", "|W|², logarithmic")
    assert chart.find_element("css selector", "path.marks").get_attribute("d") != drawn
    assert (
        chart.find_elements("css selector", ".panel text")[-2].text == "lambda, logarithmic from 0.3"
    )  # 0 has no place


def test_percentages_have_no_logarithmic_axis(browser, page):
    open_page(browser, page)
    assert "logarithmic" not in figure(browser, "accuracy").find_element("css selector", ".tools").text
    assert "logarithmic" in figure(browser, "cost").find_element("css selector", ".tools").text


def test_settings_with_seeds_are_lines_with_bands(browser, page, tmp_path):
    """A band lies behind the line of each setting; single runs have none."""
    open_page(browser, page)
    assert not figure(browser, "cost").find_elements("css selector", "path.band")
    runs = collect([page.parent.parent / "runs"]).runs[:2]
    again = [
        replace(run, record=run.record.model_copy(update={"config": run.record.config.model_copy(update={"seed": 9})}))
        for run in runs
    ]
    open_page(browser, write_report(Collection([*runs, *again]), tmp_path))
    chart = figure(browser, "cost")
    assert [len(paths(chart)), len(chart.find_elements("css selector", "path.band"))] == [4, 4]
    (head,) = {row.text for row in chart.find_elements("css selector", ".numbers thead tr")}
    assert head == "" or head.endswith("low high")


def test_names_at_the_ends_of_lines_stay_above_the_numbers_of_the_axis(browser, page):
    open_page(browser, page)
    for name in ("cost", "accuracy"):
        texts = figure(browser, name).find_elements("css selector", ".panel text.name")
        assert texts
        assert max(float(text.get_attribute("y")) for text in texts) <= 250 - 40


def test_the_numbers_of_a_figure_are_saved_as_csv(browser, page):
    open_page(browser, page)
    chart = figure(browser, "cost")
    link = chart.find_element("css selector", ".tools a")
    assert link.get_attribute("download") == "cost.csv"
    browser.execute_script("arguments[0].addEventListener('click', (event) => event.preventDefault())", link)
    link.click()
    rows = list(csv.reader(unquote(link.get_attribute("href").partition(",")[2]).splitlines()))
    assert rows[0] == ["panel", "line", "epoch", "cost in nats"]
    assert len(rows) == 1 + 2 * 4 * 5
    for run in collect([page.parent.parent / "runs"]).runs:
        assert any(float(row[3]) == pytest.approx(run.last["train_cost"], rel=1e-5) for row in rows[1:])


def test_without_a_script_the_pictures_and_tables_are_there(browser, page):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    open_page(browser, page)
    pictures = browser.find_elements("tag name", "img")
    assert all(picture.is_displayed() for picture in pictures)
    assert not browser.find_elements("css selector", ".panel")
    assert all(found.is_displayed() for found in browser.find_elements("css selector", ".numbers summary"))
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_table_is_sorted_by_a_click_and_turned_round_by_another(browser, page):
    """By number, not by text: a gap of 10 points is more than one of 9."""
    open_page(browser, page)
    head = browser.find_elements("css selector", "#table thead button")[5]
    assert head.text == "gap in points"
    head.click()
    gaps = [float(text.split()[0]) for text in column(browser, 6)]
    assert gaps == sorted(gaps)
    assert len(set(gaps)) > 1
    head.click()
    assert [float(text.split()[0]) for text in column(browser, 6)] == gaps[::-1]
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "descending"


def test_table_is_sorted_from_the_keyboard(browser, page):
    open_page(browser, page)
    before = column(browser, 1)
    body = browser.find_element("css selector", "body")
    for _ in range(20):
        body.send_keys(Keys.TAB)
        focused = browser.switch_to.active_element
        if focused.text == "run":
            break
    focused.send_keys(Keys.ENTER)
    focused.send_keys(Keys.ENTER)
    assert column(browser, 1) == sorted(before, reverse=True)


@pytest.fixture(scope="module")
def many(tmp_path_factory, page):
    """The report of 32 runs."""
    runs = collect([page.parent.parent / "runs"]).runs * 8
    return write_report(Collection(runs), tmp_path_factory.mktemp("many"))


def test_a_long_table_has_pages_and_a_filter(browser, many):
    """25 rows of 32; words and comparisons choose rows, and a page without a script has all of them."""
    open_page(browser, many)
    shown = lambda: [text for text in column(browser, 1) if text]  # noqa: E731
    tools = browser.find_element("xpath", "//table[@id='table']/../preceding-sibling::div[1]")
    assert len(shown()) == 25
    assert tools.find_element("css selector", "[role=status]").text == "1 to 25 of 32"
    button(tools, "next").click()
    assert len(shown()) == 7
    search = tools.find_element("css selector", "input")
    search.send_keys("run 1")
    assert shown() == [text for text in shown() if "1" in text]
    assert len(shown()) == 13
    search.clear()
    search.send_keys("run < -1000")
    assert shown() == []


def test_a_table_is_copied_as_csv(browser, page):
    """The rows that are shown, with the numbers that they are sorted by."""
    open_page(browser, page)
    browser.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    tools = browser.find_element("xpath", "//table[@id='table']/../preceding-sibling::div[1]")
    button(tools, "copy as CSV").click()
    rows = list(csv.reader(browser.execute_script("return window.copied").splitlines()))
    assert rows[0][:2] == ["run", "test accuracy"]
    found = {float(row[1]) for row in rows[1:]}
    assert found == {run.outcome("test") for run in collect([page.parent.parent / "runs"]).runs}


def test_page_fits_a_phone(browser, page):
    """Wide tables scroll in themselves; the page does not."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    open_page(browser, page)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


TEXTS = {
    "p.lead, section p:not(.dim)": 7,
    **dict.fromkeys((".dim", "figcaption", "nav a", ".answers dt", "thead th", "td", "summary", ".tools button"), 4.5),
    **dict.fromkeys((".panel text", ".panel text.name"), 4.5),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(browser, page, scheme):
    """Contrast of text to page of at least 7 to 1, of smaller parts and of figures 4.5 to 1 (WCAG 2.2)."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    open_page(browser, page)
    colours = """return [...document.querySelectorAll(arguments[0])].map(
        (found) => getComputedStyle(found)[found.closest('svg') ? 'fill' : arguments[1]])"""
    (ground,) = map(luminance, browser.execute_script(colours, "body", "backgroundColor"))
    assert (ground > 0.5) == (scheme == "light")
    for selector, least in TEXTS.items():
        found = browser.execute_script(colours, selector, "color")
        assert found
        for colour in map(luminance, found):
            light, dark = sorted([ground, colour], reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= least, selector
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_stand_out_in_light_and_dark(browser, page, scheme):
    """Contrast of every line to the page of at least 3 to 1, as of graphical objects (WCAG 2.2)."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    open_page(browser, page)
    strokes = "return [...document.querySelectorAll('.panel path.line')].map((line) => getComputedStyle(line).stroke)"
    ground = luminance(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    for colour in map(luminance, browser.execute_script(strokes)):
        light, dark = sorted([ground, colour], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def luminance(colour):
    """Relative luminance of an rgb(...) or color(srgb ...) colour, as WCAG defines it."""
    numbers = [float(number) for number in re.findall(r"[\d.]+", colour)][:3]
    parts = numbers if colour.startswith("color(srgb") else [number / 255 for number in numbers]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_report_is_printed_with_nothing_cut_off(browser, run, page, tmp_path):
    """By the browser that is installed: every column, light colours, the runs' provenance unfolded."""
    result = run("report", page.parent.parent / "runs", "-o", tmp_path, "--pdf")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [f"report: {tmp_path / f'report.{kind}'}" for kind in ("html", "pdf")]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 688, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    )
    open_page(browser, page)
    tables = browser.execute_script("return [...document.querySelectorAll('table')].map((table) => table.scrollWidth)")
    assert max(tables) <= 688
    buttons = browser.execute_script(
        "return [...document.querySelectorAll('thead button')].map((button) => getComputedStyle(button).display)"
    )
    assert set(buttons) == {"contents"}  # else the header is not repeated on the next sheet
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not any(tools.is_displayed() for tools in browser.find_elements("css selector", ".tools button:not(.run)"))
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_a_browser_the_page_is_written_and_the_way_to_a_pdf_is_said(run, page, tmp_path, monkeypatch):
    monkeypatch.setattr("cifar_linear.report.pdf.BROWSERS", ("no-such-browser",))
    result = run("report", page.parent.parent / "runs", "-o", tmp_path, "--pdf")
    assert result.exit_code == 1
    assert "written, but not as a PDF: that takes Chromium or Chrome on the PATH; or open the page" in result.stderr
    assert (tmp_path / "report.html").is_file()
