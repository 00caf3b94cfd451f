"""The explainer in Chromium, as a reader uses it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import offby
from offby import Line, explain, losses
from offby.integrations.explainer import page as own_page

from .report_data import comparison

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs the package playwright"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium, which is not on this machine"
)

SOURCE = Path(explain.__file__).parents[1]
WIDE, NARROW = (1280, 800), (390, 844)
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Opens the page at an address; it must ask for nothing and complain of nothing."""
    contexts, complaints = [], []

    def opened(address="", size=WIDE, html=None, ready=True, **settings):
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(html or explain.render(), encoding="utf-8")
        width, height = size
        settings.setdefault("reduced_motion", "reduce")
        context = browser.new_context(
            viewport={"width": width, "height": height}, **settings
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.partition("#")[0] == file.as_uri()
                else complaints.append(request.url)
            ),
        )
        page.goto(f"{file.as_uri()}{address}")
        if ready:
            page.wait_for_selector(".live svg.figure")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def masses(page, figure=0):
    bars = page.locator("svg.figure").nth(figure).locator("[data-bar]")
    return bars.evaluate_all("all => all.map(bar => Number(bar.ariaValueNow))")


def values(page):
    """The number of each loss, by its name."""
    rows = page.locator(".row, .duel tbody tr").all()
    found = {}
    for row in rows:
        name = row.locator(".name b, th").first.inner_text().split()[0]
        found[name] = row.locator(".result b, .number").first.inner_text()
    return found


def drag(page, figure, bin_, dx=0.0, dy=0.0):
    """Pulls the foot of a bar; dx in bins, dy in pixels."""
    bar = page.locator("svg.figure").nth(figure).locator(f'[data-bar="{bin_}"] .focus')
    box = bar.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 12
    page.mouse.move(x, y)
    page.mouse.down()
    for part in (0.2, 0.6, 1):
        page.mouse.move(x + part * dx * box["width"], y + part * dy)
    page.mouse.up()


@SIZES
def test_first_paint_makes_the_point(visit, size):
    page = visit(size=size)
    text = page.locator("body").inner_text()
    assert "Two wrong predictions" in text
    ce = page.locator(".duel tbody tr").first
    assert ce.locator(".number").all_inner_texts() == ["1.05", "1.05"]
    assert "cannot tell" in ce.inner_text()
    assert "B, by 29 times" in page.locator(".duel tbody tr").nth(1).inner_text()
    figure = page.locator("svg.figure").first.bounding_box()
    assert figure["y"] + figure["height"] * 0.6 < size[1], "the figure is out of sight"
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@SIZES
def test_without_script_the_first_state_is_there(visit, size):
    page = visit(size=size, java_script_enabled=False, ready=False)
    shown = [s for s in page.locator("svg.figure").all() if s.is_visible()]
    assert len(shown) == 2
    text = page.locator("body").inner_text()
    for title in ("Two wrong predictions", "Noisy labels", "So which one?"):
        assert title in text
    assert "cannot tell" in text
    assert not page.get_by_role("button", name="Run").is_visible()


@SIZES
def test_dragging_a_bar_changes_the_sums_and_mass_stays_one(visit, size):
    page = visit("#stop=3", size)
    before = masses(page)
    old = values(page)
    drag(page, 0, 4, dy=-30)
    after = masses(page)
    assert after[4] > before[4] + 0.02
    assert sum(after) == pytest.approx(1, abs=1e-3)
    rest = [a / b for k, (a, b) in enumerate(zip(after, before, strict=True)) if k != 4]
    assert rest == pytest.approx([rest[0]] * 6, rel=0.02), "the others share the rest"
    new = values(page)
    assert all(new[name] != old[name] for name in ("ce", "emd1", "emd2", "cce"))


@SIZES
def test_dragging_mass_sideways_moves_it_and_cross_entropy_does_not_see(visit, size):
    page = visit("#stop=2", size)
    before, old = masses(page), values(page)
    drag(page, 0, 1, dx=-1)
    after, new = masses(page), values(page)
    assert after[0] == pytest.approx(before[0] + before[1], abs=0.01)
    assert after[2:] == pytest.approx(before[2:], abs=1e-3)
    assert new["ce"] == old["ce"]
    assert all(new[name] != old[name] for name in ("emd1", "emd2", "cce"))


def test_a_finger_drags_too(visit):
    page = visit("#stop=3", NARROW, has_touch=True, is_mobile=True)
    before = masses(page)
    box = page.locator('[data-bar="4"] .focus').bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 12
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y - up} for up in points]},
        )

    touch("touchStart", 0)
    for up in (8, 20, 40):
        touch("touchMove", up)
    touch("touchEnd")
    assert masses(page)[4] > before[4] + 0.02


def test_keys_do_all_that_dragging_does(visit):
    page = visit("#stop=3")
    page.locator('[data-bar][tabindex="0"]').focus()
    before = masses(page)
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    focused = page.evaluate("document.activeElement.getAttribute('data-bar')")
    assert focused == "1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("PageUp")
    raised = masses(page)
    assert raised[1] == pytest.approx(before[1] + 0.11, abs=1e-3)
    page.keyboard.press("Shift+ArrowRight")
    carried = masses(page)
    assert carried[1] == pytest.approx(raised[1] - 0.05, abs=1e-3)
    assert carried[2] == pytest.approx(raised[2] + 0.05, abs=1e-3)
    assert sum(carried) == pytest.approx(1, abs=1e-3)
    page.keyboard.press("t")
    truth = page.locator("[data-truth]")
    assert truth.get_attribute("aria-valuetext") == "2"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.hasAttribute('data-truth')")
    page.keyboard.press("ArrowRight")
    assert truth.get_attribute("aria-valuenow") == "3"


def test_every_stop_is_reached_by_keys_alone(visit):
    page = visit()
    titles = []
    page.get_by_role("button", name="Next").focus()
    for stop in range(1, 8):
        titles.append(page.locator(".stop.active h2").inner_text())
        assert page.locator(".stop.active .advice").is_visible()
        if stop < 7:
            page.keyboard.press("Enter")
    assert len(set(titles)) == 7
    sync_api.expect(page).to_have_url(re.compile("#stop=7$"))


def test_state_in_the_address_survives_a_reload(visit):
    page = visit("#stop=6")
    drag(page, 0, 3, dy=-40)
    page.get_by_label("Training").check()
    page.get_by_role("button", name="Step").click()
    sync_api.expect(page).to_have_url(re.compile("steps=1&"))
    before, numbers = masses(page), values(page)
    page.reload()
    page.wait_for_selector(".live svg.figure")
    assert masses(page) == pytest.approx(before, abs=1e-3)
    assert values(page) == numbers
    assert page.get_by_label("Training").is_checked()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("#%ff%%rubbish", "is none of its parts"),
        ("#stop=9", "no stop"),
        ("#bins=1", "at least 2 bins; got 1"),
        ("#bins=10000", "up to 300 bins; got 10,000"),
        ("#bins=3,2,1", "Edges must increase"),
        ("#bins=0,x,1", "Edges must be numbers"),
        ("#bins=hours:2", "3 to 24 hours"),
        ("#stop=2&p=1,2,3", "7 numbers from 0 to 1"),
        ("#stop=2&p=.9,.9,0,0,0,0,0", "must sum to 1"),
        ("#stop=2&p=NaN,0,0,0,0,0,1", "7 numbers from 0 to 1"),
        ("#stop=2&truth=8", "from 1 to 7"),
        ("#stop=2&truth=at:99", "within the edges"),
        ("#stop=2&losses=nope", "must be one of ce, emd1"),
        ("#stop=2&view=x", "The view must be"),
        ("#stop=2&steps=1e99", "steps must be a number"),
        ("#stop=0", "no stop"),
    ],
)
def test_rubbish_in_the_address_is_a_sentence(visit, address, says):
    page = visit(address)
    assert says in page.get_by_role("alert").inner_text()
    assert page.locator(".duel tbody tr").count() == 4


def with_data(text):
    return explain.render().replace(
        'id="data">null<', f'id="data">{text.replace("<", "")}<'
    )


def broken(**changes):
    page = explain.render(comparison())
    (text,) = re.findall(r'id="data">(.*?)</script>', page)
    return with_data(json.dumps(json.loads(text) | changes))


@pytest.mark.parametrize(
    ("html", "says"),
    [
        (with_data("{"), "must be JSON"),
        (with_data("[]"), "must be a comparison"),
        (broken(positions=[float("nan")] * 6), "must be JSON without NaN"),
        (broken(labels=["1"]), "at least 2 bins; the data have 1"),
        (broken(labels=["1"] * 10_000), "up to 300 bins; the data have 10,000"),
        (broken(rows=[]), "must hold a row"),
    ],
    ids=["cut", "list", "nan", "one", "many", "none"],
)
def test_rubbish_in_the_data_is_a_sentence(visit, html, says):
    page = visit(html=html)
    assert says in page.get_by_role("alert").inner_text()
    assert page.locator(".duel tbody tr").count() == 4


@pytest.mark.parametrize(
    "made",
    [comparison(), comparison("number", bins=12), comparison("number", bins=300)],
    ids=["classes", "number", "300 bins"],
)
def test_opens_on_a_row_of_the_reader(visit, made):
    page = visit(html=explain.render(made))
    assert page.get_by_role("alert").count() == 0
    assert "Your data: quality" in page.locator(".stop.active h2").inner_text()
    row = next(row for row in made.rows if row.why == "most disputed")
    for figure, model in enumerate(("ce", "emd2")):
        heading = page.locator(".pair h3").nth(figure)
        assert heading.inner_text() == f"trained with {model}"
        assert masses(page, figure) == pytest.approx(row.probs[model], abs=1e-3)
    page.get_by_label("against").select_option("emd1")
    assert masses(page, 1) == pytest.approx(row.probs["emd1"], abs=1e-3)
    if made.data.kind == "number":
        assert "crps" in values(page)
        assert page.locator("[data-truth]").first.get_attribute("aria-label") == (
            "trained with ce, true number"
        )
    sync_api.expect(page).to_have_url(re.compile("models=ce,emd1&"))
    page.reload()
    page.wait_for_selector(".live svg.figure")
    assert masses(page, 1) == pytest.approx(row.probs["emd1"], abs=1e-3)


@pytest.mark.parametrize("kind", ["tree", "costs"])
def test_opens_on_classes_that_lie_on_no_line(visit, kind):
    made = comparison()
    ground = {
        "tree": offby.Tree.from_paths(["a/1", "a/2", "b/3", "b/4", "b/5", "c/6"]),
        "costs": offby.Costs.from_features([[0], [1], [5], [2], [9], [7]]),
    }[kind]
    made = replace(made, data=replace(made.data, ground=ground.to_dict()))
    page = visit(html=explain.render(made))
    assert page.get_by_role("alert").count() == 0
    row = next(row for row in made.rows if row.why == "most disputed")
    assert masses(page, 0) == pytest.approx(row.probs["ce"], abs=1e-3)
    away = page.locator(".figure").first.locator(".off text").all_text_contents()
    assert away == [f"{d:g}" if d else "true" for d in ground.cost[row.true].tolist()]
    assert ("cce" in values(page)) == (kind == "tree")
    assert page.locator(".figure").first.locator(".tree").count() == (kind == "tree")


@pytest.mark.parametrize(
    ("address", "row", "models"),
    [
        ("#stop=0&row=0&models=hl,emd1", 0, ("hl", "emd1")),
        ("#stop=0&row=1", 1, ("ce", "emd2")),
        ("#stop=0&models=emd1", 2, ("emd1",)),
    ],
)
def test_a_row_and_losses_are_address_enough(visit, address, row, models):
    made = comparison()
    page = visit(address, html=explain.render(made))
    assert page.get_by_role("alert").count() == 0
    for figure, model in enumerate(models):
        assert masses(page, figure) == pytest.approx(
            made.rows[row].probs[model], abs=1e-3
        )


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("#stop=0&row=3", "row must be a number from 0 to 2"),
        ("#stop=0&row=-1", "row must be a number from 0 to 2"),
        ("#stop=0&row=1&models=ce,nope", "must be of the data in this page"),
    ],
)
def test_a_row_or_loss_that_is_not_there_is_a_sentence(visit, address, says):
    page = visit(address, html=explain.render(comparison()))
    assert says in page.get_by_role("alert").inner_text()


def test_run_is_seen_or_with_reduced_motion_is_there_at_once(visit):
    still = visit("#stop=4")
    still.get_by_role("button", name="Run").click()
    sync_api.expect(still.locator(".runs output")).to_have_text("131,072 steps")
    text = still.locator(".rows").inner_text()
    assert "there after 5 steps" in text
    assert "1,282 steps" in text
    assert "there after 5 steps of ce" not in text
    assert "1,282" in still.locator(".stop.active").inner_text()

    moving = visit("#stop=4", reduced_motion="no-preference")
    moving.get_by_role("button", name="Run").click()
    moving.get_by_role("button", name="Stop").click()
    steps = moving.locator(".runs output").inner_text()
    assert 0 <= int(steps.split()[0].replace(",", "")) < 131_072


def test_noisy_labels_end_where_the_text_says(visit):
    page = visit("#stop=5")
    for name in ("ce", "emd2", "cce"):
        row = page.locator(".row", has=page.get_by_text(name, exact=True)).first
        assert "at the frequencies" in row.inner_text()
    row = page.locator(".row", has=page.get_by_text("emd1", exact=True)).first
    assert "a spike on 3" in row.inner_text()


def test_other_grounds_and_truths(visit):
    page = visit("#stop=3")
    page.get_by_text("Set it up yourself").click()
    page.get_by_label("Bins").select_option("animals")
    assert page.locator(".tree").is_visible()
    assert page.locator(".row .result").count() == 4
    page.get_by_label("Bins").select_option("hours:8")
    assert "a circle has none" in page.locator(".row").last.inner_text()
    assert "12" in page.locator(".off").text_content()
    page.get_by_label("Bins").select_option("0,18,30,50,65,90")
    for kind in ("noisy", "soft", "number"):
        page.get_by_role("combobox", name="Truth").select_option(kind)
        assert page.locator(".result b").count() == 4
    page.get_by_label("Losses").fill("crps, ce+0.3*emd1")
    page.keyboard.press("Enter")
    assert set(values(page)) == {"crps", "ce+0.3*emd1"}
    page.get_by_label("Losses").fill("nonsense")
    page.keyboard.press("Enter")
    assert "must be one of" in page.get_by_role("alert").inner_text()
    page.get_by_label("Edges of your own").fill("0, 2, 1")
    page.keyboard.press("Enter")
    assert "Edges must increase" in page.get_by_role("alert").inner_text()
    page.get_by_label("Edges of your own").fill("0, 1, 2, 10")
    page.keyboard.press("Enter")
    assert len(masses(page)) == 3


def test_numbers_of_ones_own_are_probabilities_or_logits(visit):
    page = visit("#stop=3")
    page.get_by_text("Set it up yourself").click()
    field = page.get_by_label("Numbers of your own")

    def paste(text):
        field.fill(text)
        field.blur()

    paste("a,b,c\n0.2, 0.5, 0.3")
    assert masses(page) == pytest.approx([0.2, 0.5, 0.3], abs=1e-3)
    paste("[0, 0, 0.6931472]; 0.25 0.25 0.5")
    for figure in (0, 1):
        assert masses(page, figure) == pytest.approx([0.25, 0.25, 0.5], abs=1e-3)
    for text, says in (
        ("1", "2 to 300 numbers; got 1"),
        ("1, x", "finite numbers only"),
        ("1 2\n1 2 3", "got 2 and 3"),
        ("1 2\n3 4\n5 6", "got 3 rows"),
    ):
        paste(text)
        assert says in page.get_by_role("alert").inner_text()


@pytest.mark.parametrize(
    ("address", "size", "scheme"),
    [
        ("#stop=1", WIDE, "light"),
        ("#stop=1", NARROW, "dark"),
        ("#stop=4", WIDE, "dark"),
        ("#stop=5", NARROW, "light"),
        ("#stop=6", WIDE, "dark"),
        ("#stop=3&bins=animals&truth=5", WIDE, "light"),
        ("#bins=1", WIDE, "light"),
        ("#bins=1", WIDE, "dark"),
    ],
)
def test_axe_finds_no_violation(visit, address, size, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="needs the package axe-playwright-python",
    )
    page = visit(address, size, color_scheme=scheme)
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    found = axe.Axe().run(page).response["violations"]
    told = [(v["id"], [n["target"] for n in v["nodes"]][:4]) for v in found]
    assert told == []


def test_light_and_dark_differ(visit):
    colors = {
        visit(color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert len(colors) == 2


OWN = {
    "ce": [[0.0, 2, 0, 1], [3, 0, 0, 0]],
    "ce+emd2": [[0.0, 1, 2, 0], [3, 1, 0, 0]],
}


def test_the_page_of_ones_own_logits(visit):
    """It opens on the row on which two losses differ most, with its softmax."""
    page = visit(html=own_page(OWN, [1, 0], Line([0, 1, 2, 10]), labels="abcd"))
    assert page.locator("svg.figure").count() == 2
    first = torch.tensor(OWN["ce"][0]).softmax(-1).tolist()
    assert masses(page) == pytest.approx(first, abs=1e-3)
    wrong = torch.tensor([[0.0, 2, 0, 1]])
    loss = losses.wasserstein(wrong, torch.tensor([1]), Line([0, 1, 2, 10])).item()
    assert float(values(page)["emd1"]) == pytest.approx(loss, abs=5e-3)


def test_the_widget_draws_it_in_a_frame(visit):
    """Its script as a notebook calls it, with a model that is a table of values."""
    script = (SOURCE / "integrations/widget.js").read_text(encoding="utf-8")
    html = own_page(OWN, [1, 0]).replace("<head>", '<head><base href="about:srcdoc">')
    held = json.dumps({"page": html, "height": 700}).replace("<", "\\u003c")
    script = script.replace("export default", "const widget =")
    page = visit(
        html=f"""<!doctype html><title>notebook</title><body><script>
        {script}
        const held = {held}, calls = [];
        const model = {{ get: (key) => held[key], off: () => calls.push("off"),
                         on: (_, call) => calls.push(call) }};
        globalThis.shown = {{ held, calls,
            end: widget.render({{ model, el: document.body }}) }};
        </script>""",
        ready=False,
    )
    frame = page.frame_locator("iframe")
    frame.locator(".live svg.figure").first.wait_for()
    bar = frame.locator("[data-bar]").first
    before = float(bar.get_attribute("aria-valuenow"))
    bar.focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(300)  # it then writes its address, inside the frame
    assert float(bar.get_attribute("aria-valuenow")) > before
    page.evaluate("shown.held.height = 500; shown.calls[0]()")
    assert page.locator("iframe").get_attribute("height") == "500"
    page.evaluate("shown.end()")
    assert page.evaluate("shown.calls.at(-1)") == "off"
