"""The HTML report: one file, no network, the same bytes for the same data."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")
pytest.importorskip("jinja2")

from offby.comparison._result import Comparison
from offby.report import render
from tests.report_data import METHODS, comparison

KINDS = (("classes", 6), ("number", 60))


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


def test_same_data_same_bytes(case):
    data, page = case
    assert render(Comparison.from_json(data.to_json())) == page


def test_loads_nothing_from_the_network(case):
    _, page = case
    for tag, attrs in _parsed(page).tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
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


def test_small_enough_to_mail(case):
    _, page = case
    assert len(page.encode()) < 2_000_000


def test_every_method_is_in_the_leaderboard(case):
    _, page = case
    table = re.search(r'<table class="board".*?</table>', page, flags=re.S)
    assert table
    for method in METHODS:
        assert method.title in table[0]
    assert "›" in table[0]


def test_infinite_rows_are_counted_and_never_best(case):
    _, page = case
    assert "∞ (4 rows)" in page
    cell = re.search(r"<td[^>]*>[^<]*(?:<\w+>)?[^<]*∞ \(4 rows\)", page)
    assert cell
    assert "›" not in cell[0]


def test_a_hostile_name_is_only_text():
    evil = "<script>alert(1)</script>"
    data = comparison(target=evil)
    names = (evil, *data.data.labels[1:])
    data = replace(
        data,
        data=replace(data.data, name=evil, labels=names, notes=(evil,)),
        methods=(replace(METHODS[0], title=evil), *METHODS[1:]),
        verdicts=(replace(data.verdicts[0], sentence=evil),),
        why=(evil,),
    )
    page = render(data)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_bare_comparison_renders():
    data = comparison()
    bare = replace(
        data,
        differences=(),
        why=(),
        rows=(),
        pushes=(),
        calibration=(),
        training=(),
    )
    page = render(bare)
    assert METHODS[0].title in page


def test_equal_labels_stay_apart():
    data = comparison()
    same = replace(data, data=replace(data.data, labels=("a",) * 6))
    assert "a (6)" in render(same)
