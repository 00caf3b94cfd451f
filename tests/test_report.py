"""The HTML report: one file, no network, the same bytes for the same data.

What it says is kept in `tests/gold`; after a change that is meant, renew it with
`OFFBY_RENEW_GOLD=1 python -m pytest tests/test_report.py -k gold` and read the diff.
"""

import base64
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import offby

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")

import offby.report
from offby.notebook import Comparison
from offby.report import frame, render
from offby.report.parts import Figure
from offby.report.sections import SECTIONS, scores
from offby.report.sections.data import cut_bars
from offby.report.style import Look, unique
from offby.results import Method, phrases
from tests.report_data import METHODS, comparison

GOLD = Path(__file__).parent / "gold"
EIGHT = (
    *METHODS[:5],
    Method("ce+emd2", "Cross-entropy + squared EMD", False),
    Method("nll", "Log density", False),
    Method("crps", "CRPS", False),
    *METHODS[5:],
)
KINDS = (
    ("classes", 6, "quality", METHODS),
    ("number", 60, "quality", METHODS[1::2] + METHODS[-1:]),
)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind[0])
def case(request):
    data = comparison(*request.param)
    return data, render(data)


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
        self.open = []
        self.wrong = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br", "img", "hr", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def _parsed(page):
    parser = _Tags()
    parser.feed(page)
    return parser


def test_comparison_survives_json(case):
    data, _ = case
    assert Comparison.from_json(data.to_json()) == data


def test_same_data_same_bytes():
    data = comparison(methods=METHODS[:2])
    assert render(Comparison.from_json(data.to_json())) == render(data)


def test_a_picture_of_the_report_stands_alone_in_a_paper(tmp_path):
    data = comparison(methods=METHODS[:2])
    found = data.plot("calibration")
    assert found.title in unescape(render(data))
    found.save(tmp_path / "figure.svg")
    assert ElementTree.parse(tmp_path / "figure.svg").getroot().tag.endswith("}svg")
    assert found._repr_svg_() == found.svg
    for section, number in (("nothing", 0), ("calibration", 99)):
        with pytest.raises(ValueError, match=r"there are differences \(\d"):
            data.plot(section, number)


def test_loads_nothing_from_the_network(case):
    _, page = case
    for tag, attrs in _parsed(page).tags:
        assert tag not in {"link", "img", "iframe", "object"}
        assert tag != "script" or not attrs
        assert tag != "base"
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            value = attrs.get(name, "#")
            assert value.startswith(("#", "data:")), (tag, name, value)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_well_formed_and_without_inline_styles(case):
    _, page = case
    parsed = _parsed(page)
    assert not parsed.wrong
    assert not parsed.open
    assert not [tag for tag, attrs in parsed.tags if "style" in attrs]
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_chart_has_a_name_and_a_table(case):
    _, page = case
    parsed = _parsed(page)
    charts = [attrs for tag, attrs in parsed.tags if attrs.get("role") == "img"]
    assert len(charts) >= 8
    assert all(attrs.get("aria-label") for attrs in charts)
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.S)
    assert len(figures) == len(charts)
    assert all("<svg" in f and "<details" in f and "<table" in f for f in figures)


@pytest.fixture(scope="module")
def eight():
    data = comparison("number", 50, methods=EIGHT)
    return data, render(data)


def test_small_enough_to_mail(eight):
    _, page = eight
    assert len(page.encode()) < 2_000_000
    assert "data:application/json" in page


def test_a_loss_has_one_color_in_every_chart(eight):
    data, page = eight
    look = Look(data)
    losses = [method.key for method in data.methods if not method.reference]
    colors = [look.color_of(key) for key in losses]
    assert len(set(colors)) == 8
    for section in ("differences", "rows", "pushes", "calibration", "scores", "noise"):
        inside = page.partition(f'<section id="{section}">')[2].partition("</section>")
        for figure in re.findall(r"<figure.*?</figure>", inside[0], flags=re.S):
            found = Counter(re.findall(r'(?:fill|stroke)="(#\w{6})"', figure))
            # All differences are from the first loss.
            missing = colors[:1] if section == "differences" else []
            assert {c for c in colors if not found[c]} == set(missing)
            if "isotonic" in figure:
                assert [found[color] for color in colors] == [3] * 8


def said(page):
    """The page without what is drawn, and without the parts that have their own files.

    Drawings depend on the version of the library that draws and on the fonts here.
    """
    page = re.sub(r"<svg[^>]*aria-hidden.*?</svg>", "<svg/>", page, flags=re.S)
    page = re.sub(
        r'<svg role="img" (aria-label="[^"]*").*?</svg>', r"<svg \1/>", page, flags=re.S
    )
    page = re.sub(r"<(style|script)>.*?</\1>", r"<\1/>", page, flags=re.S)
    page = re.sub(r"sha256-[\w+/=]*", "sha256-...", page)
    return re.sub(r"base64,[^\"]*", "base64,...", page)


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_what_the_page_says_is_the_gold_file(kind):
    few = (*METHODS[:2], METHODS[-1])
    found = said(render(comparison(kind, 4, methods=few), explainer="explain.html"))
    gold = GOLD / f"report-{kind}.html"
    if os.environ.get("OFFBY_RENEW_GOLD"):
        gold.write_text(found, encoding="utf-8")
    assert found == gold.read_text(encoding="utf-8")


def test_the_page_carries_its_numbers(case):
    data, page = case
    (text,) = re.findall(r'href="data:application/json;base64,([^"]*)"', page)
    assert Comparison.from_json(base64.b64decode(text).decode()) == data


def test_nothing_is_not_a_number_or_none(case):
    _, page = case
    text = re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", page, flags=re.S)
    assert not re.search(r"\b(nan|NaN|None|null|undefined|inf|Infinity)\b", text)


def bare(data):
    """What only a newcomer's hand could make: quick to draw."""
    return replace(
        data,
        differences=(),
        scores=(),
        why=(),
        rows=(),
        pushes=(),
        calibration=(),
        reliability=(),
        forecasts=(),
        noise=(),
        noise_share=None,
        takeovers=(),
        training=(),
        columns=(),
        importances=(),
        regions=(),
        coverage=(),
    )


def test_rows_link_to_the_page_beside_or_say_how_to_make_it():
    data = comparison(methods=EIGHT)
    data = replace(bare(data), rows=data.rows)
    page = render(data, explainer="my report_explain.html")
    links = [unescape(link) for link in re.findall(r'href="(my[^"]*)"', page)]
    assert [link.partition("&models=")[0] for link in links] == [
        f"my%20report_explain.html#stop=0&row={row}" for row in range(3)
    ]
    for link, row in zip(links, data.rows, strict=True):
        models = unquote(link.partition("&models=")[2]).split(",")
        given = sorted(row.probs, key=lambda key, row=row: row.probs[key][row.true])
        assert models == [given[-1], given[0]]
    plus = replace(data.rows[0], probs={"ce+emd2": data.rows[0].probs["ce"]})
    page = render(replace(data, rows=(plus,)), explainer="e.html")
    assert 'models=ce%2Bemd2"' in page
    alone = render(data)
    assert "explain.html" not in alone
    assert "<code>offby explain comparison.json</code>" in alone


def test_a_notebook_shows_the_page_in_a_frame(monkeypatch):
    _ = offby.Comparison  # whoever has one has come by here
    data = bare(comparison())
    shown = data._repr_html_()
    assert shown == frame(data)
    (tag,) = _parsed(shown).tags
    assert tag[0] == "iframe"
    assert tag[1]["srcdoc"].replace('<base href="about:srcdoc">', "") == render(data)
    assert "allow-same-origin" not in tag[1]["sandbox"]
    monkeypatch.setitem(sys.modules, "offby.report", None)
    monkeypatch.delattr(offby, "report")
    assert data._repr_html_() is None


def test_at_the_prompt_it_says_what_it_found_and_no_more():
    data = comparison()
    said = repr(data)
    assert said.startswith("Comparison of ce, ")
    assert all(answer.sentence in said for answer in data.verdicts)
    assert len(said) < 2_000


def test_every_method_is_in_the_leaderboard(case):
    data, page = case
    table = re.search(r'<table class="board".*?</table>', page, flags=re.S)
    assert table
    for method in data.methods:
        assert method.title in table[0]
    assert "›" in table[0]


def test_infinite_rows_are_counted_and_never_best(case):
    _, page = case
    assert "∞ (4 rows)" in page
    cell = re.search(r"<td[^>]*>[^<]*(?:<\w+>)?[^<]*∞ \(4 rows\)", page)
    assert cell
    assert "›" not in cell[0]


EVIL = [
    "<script>alert(1)</script>",
    "</style></script><img src=x onerror=alert(1)>",
    "\"'><b onclick=alert(1)>&amp;",
]


def hostile():
    """A comparison that has a dangerous name wherever a user can put one."""
    tag, end, quotes = EVIL
    data = comparison(target=end, methods=METHODS[:2])
    return replace(
        data,
        data=replace(data.data, name=tag, labels=(*EVIL, *EVIL), notes=(quotes,)),
        methods=(replace(METHODS[0], title=quotes), METHODS[1]),
        metrics=(replace(data.metrics[0], title=quotes, unit=tag), *data.metrics[1:]),
        verdicts=tuple(replace(data.verdicts[0], sentence=evil) for evil in EVIL),
        why=tuple(EVIL),
        takeovers=tuple(EVIL),
        run=replace(
            data.run, command=quotes, not_tested=tuple(EVIL), versions={tag: end}
        ),
    )


def test_a_hostile_name_is_only_text():
    page = render(hostile())
    parsed = _parsed(page)
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("script") == 1
    assert not {"b", "img"} & set(tags)
    assert not [
        attrs for _, attrs in parsed.tags if {"onclick", "onerror"} & set(attrs)
    ]
    assert not parsed.wrong
    assert all(evil in unescape(page) for evil in EVIL)


def test_a_bare_comparison_renders():
    page = render(bare(comparison()))
    assert METHODS[0].title in page
    assert page.count("<figure") == 1


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.id)
def test_a_section_that_fails_says_so_in_its_place(monkeypatch, section):
    def fail(look):
        raise IndexError("<tuple> index out of range")

    others = [replace(each, content=lambda look: None) for each in SECTIONS]
    place = SECTIONS.index(section)
    others[place] = replace(section, content=fail)
    monkeypatch.setattr(offby.report, "SECTIONS", others)
    with pytest.warns(RuntimeWarning, match=re.escape(section.title)):
        page = render(comparison())
    inside = page.partition(f'<section id="{section.id}">')[2].partition("</section>")
    assert "could not be drawn (IndexError: &lt;tuple&gt; index" in inside[0]
    assert f'<a href="#{section.id}">{section.contents}</a>' in page


def test_a_picture_that_fails_leaves_all_other_sections(monkeypatch):
    data = comparison(methods=METHODS[:2])
    whole = render(data)
    monkeypatch.setattr("offby.report.sections.rows._picture", lambda look, row: [][1])
    with pytest.warns(RuntimeWarning, match="What each loss predicts"):
        page = render(data)

    def sections(page):
        found = re.findall(r'<section id="(\w+)">(.*?)</section>', page, flags=re.S)
        return dict(found)

    left, all_ = sections(page), sections(whole)
    assert left.keys() == all_.keys()
    assert {name for name in left if left[name] != all_[name]} == {"rows"}


def test_contents_name_every_section_that_is_there(case):
    _, page = case
    contents = re.findall(r'<li><a href="#(\w+)">', page)
    assert contents == re.findall(r'<section id="(\w+)">', page)
    # No comparison here has a table of its own to test on.
    assert contents == [section.id for section in SECTIONS if section.id != "test"]


def test_report_and_explainer_need_no_torch():
    code = (
        "import sys, offby.report, offby.explain\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'polars')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


HEAPED = st.lists(st.floats(0.1, 10), min_size=4, max_size=40)


@given(HEAPED, st.integers(1, 3), st.floats(60, 1e6))
def test_bars_of_heaped_numbers_are_cut_until_the_rest_can_be_seen(heights, n, times):
    """However high a few bars are, the other bars keep a tenth of the picture."""
    top = max(heights)
    if top > 3.9 * min(heights):
        heights = [top / 3.9 + height / 2 for height in heights]
    heaps = [max(heights) * times * (1 + 0.5 * i) for i in range(n)]
    if n > (len(heights) + n) // 2:
        return
    cut = cut_bars([*heaps, *heights])
    assert cut == list(range(n))


def test_heaps_of_very_different_heights_are_all_cut():
    assert cut_bars([7e5, 100, 90, 1.5e4, 40, 3.5e3, 10]) == [0, 3, 5]


def test_a_loss_that_is_far_off_goes_off_at_an_arrow():
    made = comparison()
    (plain,) = scores.content(Look(made))
    assert isinstance(plain, Figure)
    assert not re.search(r">[\d.]+ →<", plain.svg)
    far = [
        replace(score, value=10 * (score.value or 0))
        if (score.method, score.metric) == ("emd1", "rps")
        else score
        for score in made.scores
    ]
    made = replace(made, scores=tuple(far))
    (cut,) = scores.content(Look(made))
    assert isinstance(cut, Figure)
    mean = made.mean("emd1", "rps")
    assert f">{mean:.3f} →<" in cut.svg
    ends = [float(x) for x in re.findall(r">(0\.\d+|\d\.\d+)<", cut.svg)]
    assert max(ends) < 2, "the axis still reaches to it"


@given(HEAPED)
def test_bars_that_fall_steadily_are_not_cut(heights):
    steady = [100 * 0.5**place for place in range(len(heights))]
    assert cut_bars(steady) == []
    assert cut_bars([0.0, *steady, 0.0]) == []


def test_a_heap_is_named_with_its_rows():
    data = comparison("number", 12)
    edges = (0.0, 0.001, *data.data.edges[2:])
    counts = (700, *data.data.counts[1:])
    labels = ("0 to 0.001", *data.data.labels[1:])
    heaped = replace(data.data, edges=edges, counts=counts, labels=labels)
    page = render(replace(bare(data), data=heaped))
    assert "A narrow bar is cut at the triangle" in page
    assert "700 rows from 0 to 0.001" in page
    assert "is cut" not in render(bare(data))


def test_equal_labels_stay_apart():
    labels = unique(("a",) * 6)
    assert labels[-1] == "a (6)"
    assert len(set(labels)) == 6


def test_a_comparison_of_an_older_schema_still_has_a_page():
    """Of schema 2 before it had curves."""
    data = comparison()
    raw = json.loads(data.to_json())
    for drawn in ("pushes", "rows", "differences"):
        raw[drawn] = []
    for new in ("reliability", "forecasts", "noise", "noise_share", "takeovers"):
        del raw[new]
    older = Comparison.from_json(json.dumps(raw))
    assert older.reliability == ()
    assert "Single events" not in render(older)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-0.0004, 3, "0.000"),
        (-0.5, 1, "−0.5"),
        (float("nan"), 2, "–"),
        (None, 2, "–"),
        (float("-inf"), 2, "−∞"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, digits, text):
    assert phrases.number(value, digits) == text


def test_shares_are_never_none_or_all_by_rounding():
    shares = [phrases.percent(share) for share in (0, 0.004, 0.126, 0.996, 1)]
    assert [text.replace("\u00a0", " ") for text in shares] == [
        "0 %",
        "less than 1 %",
        "13 %",
        "more than 99 %",
        "100 %",
    ]
    assert phrases.minus("a-1, -3.5 to -2") == "a-1, −3.5 to −2"
