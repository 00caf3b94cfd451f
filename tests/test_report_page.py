"""The report in Chromium, as a reader uses it."""

import re
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")
pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

from playwright import sync_api

from offby import Comparison, explain, report

from .report_data import METHODS, comparison
from .test_explain_page import CHROMIUM, QUIET

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium, which is not on this machine"
)
WIDE, NARROW = (1280, 800), (390, 844)
STRICT = "sandbox allow-downloads; default-src 'none'; img-src data:"
"""What a Jenkins server sends: no script, no style, not even of the page itself."""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report with the explainer beside it, as the command writes them."""
    place = tmp_path_factory.mktemp("report")
    few = (*METHODS[:3], METHODS[-2])
    data = comparison("number", 12, "strength of <b>", few)
    # The public class is the one that notebooks show: it takes importing it from offby.
    assert isinstance(data, Comparison)
    pages = {
        "c.html": report.render(data, explainer="c_explain.html"),
        "c_explain.html": explain.render(data),
        "notebook.html": f"<!doctype html><title>x</title><p>{data._repr_html_()}",
    }
    for name, page in pages.items():
        (place / name).write_text(page, encoding="utf-8")
    return place


@pytest.fixture
def visit(browser, folder):
    """Opens the report; it must ask for nothing and complain of nothing."""
    contexts, complaints = [], []

    def opened(name="c.html", size=WIDE, policy=None, **settings):
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, **settings
        )
        contexts.append(context)
        page = context.new_page()
        if policy is None:
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
        address = (folder / name).as_uri()

        def asked(request):
            here = request.url.partition("#")[0]
            beside = (folder / "c_explain.html").as_uri()
            served = f"http://report.test/{name}"
            if here not in (address, beside, served, "about:srcdoc"):
                complaints.append(request.url)

        page.on("request", asked)
        if policy is not None:
            body = (folder / name).read_text(encoding="utf-8")
            headers = {"content-security-policy": policy, "content-type": "text/html"}
            page.route("**/*", lambda r: r.fulfill(body=body, headers=headers))
            address = f"http://report.test/{name}"
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def column(table, number):
    rows = table.locator("tbody").first.locator("tr")
    texts = rows.evaluate_all(
        "(all, n) => all.map(row => row.cells[n].innerText)", number
    )
    return [text.lstrip("›= ").partition("\n")[0] for text in texts]


def test_opens_with_all_sections_and_what_is_folded_unfolds(visit):
    page = visit()
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href")).count() == 1
    details = page.locator("#scores details")
    table = details.locator("table")
    assert not table.is_visible()
    details.locator("summary").click()
    assert table.is_visible()
    details.locator("summary").click()
    assert not table.is_visible()


def test_a_click_on_a_head_sorts_and_another_turns_it_round(visit):
    page = visit()
    board = page.locator(".board")
    losses = column(board, 0)
    score = [float(text) for text in column(board, 3)]
    head = board.locator("thead th").nth(3)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in column(board, 3)] == sorted(score)
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(board, 3)] == sorted(score)[::-1]
    # A reference never comes among the losses.
    assert sorted(column(board, 0)) == sorted(losses)
    # Infinite is the largest, and words are in the order of letters.
    board.locator("thead th").nth(2).get_by_role("button").click()
    assert column(board, 2)[-1].startswith("∞")
    board.locator("thead th").nth(0).get_by_role("button").click()
    assert column(board, 0) == sorted(losses)


def test_reads_without_script(visit):
    page = visit(java_script_enabled=False)
    assert page.get_by_role("img").first.is_visible()
    page.locator("#scores summary").click()
    assert page.locator("#scores table").is_visible()
    assert page.locator("th button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_reads_where_neither_style_nor_script_is_allowed(visit, scheme):
    page = visit(policy=STRICT, color_scheme=scheme, java_script_enabled=False)
    text = page.locator("body").inner_text()
    assert "The answer" in text
    assert "Method and reproduction" in text
    charts = page.locator("figure svg[role=img]")
    assert charts.count() >= 8
    for chart in charts.all():
        box = chart.bounding_box()
        assert box["width"] > 200
        assert box["height"] > 60
        # Its own paper, whatever the scheme: dark ink would be lost on a dark page.
        assert chart.locator("rect").first.get_attribute("fill") == "#ffffff"


def test_its_own_policy_lets_its_own_style_and_script_pass_and_nothing_else(visit):
    page = visit()
    assert page.locator("th button").count() > 10
    assert page.evaluate(
        "getComputedStyle(document.querySelector('nav')).position"
    ) == ("sticky")
    policy = page.locator("meta[http-equiv]").get_attribute("content")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(visit, scheme):
    page = visit(size=NARROW, color_scheme=scheme)
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW[0]
    # What is wider lies in a frame that scrolls.
    assert page.locator(".scroll").first.evaluate("e => e.scrollWidth > e.clientWidth")


def test_prints_on_paper(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator("summary").first.is_visible()
    ink = "getComputedStyle(document.body).color"
    assert page.evaluate(ink) == "rgb(0, 0, 0)"
    chart = page.locator("figure svg").first
    assert chart.evaluate("e => getComputedStyle(e).filter") == "none"
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", paper)) <= 15


def test_dark_is_dark_in_charts_too(visit):
    shades = {}
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        shades[scheme] = page.evaluate(
            "[document.body, document.querySelector('.card')].map(e => "
            "Math.max(...getComputedStyle(e).backgroundColor.match(/\\d+/g)))"
        )
        chart = page.locator("figure svg").first
        inverted = "invert" in chart.evaluate("e => getComputedStyle(e).filter")
        assert inverted == (scheme == "dark")
    assert shades["light"] == [255, 255]
    assert max(shades["dark"]) < 60


def test_a_row_opens_in_the_explainer_beside(visit):
    page = visit()
    links = page.get_by_role("link", name="Move this prediction by hand")
    assert links.count() == 3
    address = links.nth(1).get_attribute("href")
    links.nth(1).click()
    page.wait_for_selector(".live svg.figure")
    assert page.get_by_role("alert").count() == 0
    row = comparison("number", 12, "x", (*METHODS[:3], METHODS[-2])).rows[1]
    models = address.partition("models=")[2].split(",")
    for place, model in enumerate(models):
        heading = page.locator(".pair h3").nth(place)
        assert heading.inner_text() == f"trained with {model}"
        bars = page.locator("svg.figure").nth(place).locator("[data-bar]")
        shown = bars.evaluate_all("all => all.map(b => Number(b.ariaValueNow))")
        assert shown == pytest.approx(row.probs[model], abs=1e-3)


def test_in_a_notebook_it_works_in_its_frame(visit):
    page = visit("notebook.html")
    inside = page.frame_locator("iframe")
    assert inside.locator("h1").inner_text() == "Which loss for strength of <b>?"
    inside.locator("nav a", has_text="Method").click()
    sync_api.expect(inside.locator("#method h2")).to_be_in_viewport()
    inside.locator(".board thead th").nth(1).get_by_role("button").click()
    sync_api.expect(inside.locator(".board thead th").nth(1)).to_have_attribute(
        "aria-sort", "ascending"
    )
    with page.expect_download() as saved:
        inside.get_by_role("link", name="All numbers as JSON").click()
    assert saved.value.suggested_filename == "offby.json"
    assert Path(saved.value.path()).read_text().startswith("{")


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "dark"), (NARROW, "light")])
def test_axe_finds_no_violation(visit, size, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="needs the package axe-playwright-python",
    )
    page = visit(size=size, color_scheme=scheme)
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    found = axe.Axe().run(page).response["violations"]
    told = [(v["id"], [n["target"] for n in v["nodes"]][:4]) for v in found]
    assert told == []
