import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

import dltheory
from dlatlas.errors import InputError
from dlatlas.pages.bar import bar
from dlatlas.pages.numbers import duration, number, size, whole
from dlatlas.pages.page import build_page
from dlatlas.planning.plan import Plan
from dlatlas.planning.provenance import read_signature


class Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [given[key] for key in ("href", "src") if key in given]


def test_every_link_leads_to_a_file_or_to_a_paper(plan):
    made = build_page(plan)
    for page in (path for path in made if path.suffix == ".html"):
        links = Links()
        links.feed(page.read_text())
        assert links.found
        for link in links.found:
            if not link.startswith(("https://", "data:", "#")):
                assert (page.parent / link).is_file(), f"{page.name}: {link}"


def test_nothing_is_fetched_from_a_network(plan):
    for page in build_page(plan):
        if page.suffix in (".html", ".css", ".js"):
            text = page.read_text()
            assert not re.search(r"""(src|@import|url\()\s*=?\s*["']?https?:""", text), page.name
            assert not re.search(r"""<link[^>]+href=["']https?:""", text), page.name


def test_every_study_and_claim_is_there(plan):
    build_page(plan)
    front = plan.page.read_text()
    for name in plan.names:
        page = (plan.page.parent / f"{name}.html").read_text()
        assert f'href="{name}.html"' in front
        assert "<math" in page
        assert "0123456789abcdef0123" in page
        assert "with uncommitted changes" in page
        assert page.count('<section class="one">') == len(plan.sweep(name).study.claims)


def test_the_disagreements_are_all_claims_that_are_not_supported_and_no_other(plan):
    build_page(plan)
    said = (plan.page.parent / "disagreements.html").read_text()
    assert 'href="disagreements.html"' in plan.page.read_text()
    records = [json.loads((plan.home(name) / "verdict.json").read_text()) for name in plan.names]
    open_claims = [c for record in records for c in record["claims"] if c["verdict"] != "supported"]
    assert open_claims
    assert said.count('<section class="one">') == len(open_claims)
    for claim in open_claims:
        assert str(escape(claim["name"])) in said
    for record in records:
        assert (f'href="{record["study"]}.html"' in said) == (record["verdict"] != "supported")


def test_every_page_and_picture_is_signed(plan):
    for page in build_page(plan):
        if page.suffix in (".html", ".svg", ".png"):
            signature = read_signature(page)
            assert signature["again"].startswith("snakemake")
            if page.stem not in ("index", "contents", "disagreements"):
                assert signature["cube"] == "0123456789abcdef0123"
    assert read_signature(plan.page)["cubes"] == dict.fromkeys(plan.names, "0123456789abcdef0123")


def test_the_contents_have_every_study_under_its_chapter_and_its_papers_and_every_claim(plan):
    build_page(plan)
    page = (plan.page.parent / "contents.html").read_text()
    chapters, others = page.split('id="papers"')
    papers, documents = others.split('id="seeds"')
    documents, claims = documents.split('id="claims"')
    for name in plan.names:
        study = plan.sweep(name).study
        title, _ = plan.lab.story(study.chapter)
        part = chapters.split(str(escape(title)))[1].split("<h2>")[0]
        assert f'href="{name}.html"' in part
        assert papers.count(f'href="{name}.html"') == len(study.papers)
        assert documents.count(f'href="{name}.html"') == len(study.rows)
        assert claims.count(f'href="{name}.html"') == len(study.claims)


def test_every_row_of_every_study_is_named_by_one_document(lab):
    rows = [row for name in lab.chapters for row in lab.study(name).rows]
    documents = yaml.safe_load((lab.folder / "documents.yaml").read_text())
    named = [row for document in documents for row in document["passages"]]
    assert sorted(rows) == sorted(named)


def test_every_study_belongs_to_a_chapter_that_has_its_place_and_its_story(lab):
    assert set(lab.chapters.values()) == set(dltheory.CHAPTERS)
    for chapter in dltheory.CHAPTERS:
        title, story = lab.story(chapter)
        assert title.endswith("?"), chapter
        assert story, chapter


def test_chapters_stand_in_their_order_and_those_without_one_by_name(plan, monkeypatch):
    monkeypatch.setattr(dltheory, "CHAPTERS", ("sampling", "nothing_yet", "kernel"))
    build_page(plan)
    page = (plan.page.parent / "contents.html").read_text()
    others = sorted(set(plan.lab.chapters.values()) - {"sampling", "kernel"})
    titles = [str(escape(plan.lab.story(chapter)[0])) for chapter in ("sampling", "kernel", *others)]
    places = [page.index(f"<h2>{title}") for title in titles]
    assert places == sorted(places)


def test_a_page_says_how_to_cite_it_and_its_papers(plan):
    build_page(plan)
    for name in plan.names:
        said = (plan.page.parent / f"{name}.html").read_text().split("Cite this")[1]
        assert f"@misc{{dlatlas_{name}," in said
        assert "commit c0ffee with uncommitted changes, cube 0123456789abcdef0123" in said
        for paper in plan.lab.papers(plan.sweep(name).study):
            assert str(escape(paper.bibtex)) in said


def test_equal_results_give_equal_pages(plan):
    first = {path: path.read_bytes() for path in build_page(plan)}
    assert first == {path: path.read_bytes() for path in build_page(plan)}


def test_a_title_is_text_not_markup(renamed):
    plan = renamed(title="<script>alert(1)</script>")
    build_page(plan)
    for page in (plan.page, plan.page.parent / f"{plan.names[0]}.html"):
        assert "<script>alert" not in page.read_text()
        assert "&lt;script&gt;alert(1)" in page.read_text()


@pytest.mark.parametrize("lost", ["verdict.json", "figure.svg", "figure.png"])
def test_what_is_missing_is_named(plan, lost):
    (plan.home(plan.names[1]) / lost).unlink()
    with pytest.raises(InputError, match=rf"{plan.names[1]}/{lost}: missing"):
        build_page(plan)


def only(plan, name, scale="smoke"):
    return Plan(replace(plan.settings, studies=(name,), scale=scale))


def stamped(plan, *names):
    for name in names:
        plan.write_stamp(plan.stamp(name, "figure"), [], {"stage": "figure"})


def shown(plan):
    return list(read_signature(plan.page)["cubes"])


def test_a_run_of_one_study_leaves_all_others_on_the_page(plan):
    first, second, third, *_ = plan.names
    stamped(plan, first, second)  # of the third there is no figure
    build_page(only(plan, second))
    assert shown(plan) == [first, second]
    build_page(only(plan, first))
    assert shown(plan) == [first, second]
    assert only(plan, first).atlas_stamp == only(plan, second).atlas_stamp
    before = only(plan, first).atlas_stamp
    stamped(plan, third)
    assert only(plan, first).atlas_stamp != before


def test_each_study_is_shown_at_its_own_scale(plan):
    first, second, *_ = plan.names
    stamped(plan, first)
    record = json.loads((plan.home(second) / "verdict.json").read_text())
    (plan.home(second) / "verdict.json").write_text(json.dumps({**record, "scale": "laptop"}))
    build_page(only(plan, second, "laptop"))
    assert shown(plan) == [first, second]
    front = plan.page.read_text()
    assert front.count("· scale smoke") == 1
    assert "· scale laptop" not in front
    assert read_signature(plan.page)["again"] == f"snakemake --cores all --config studies={second} scale=laptop"
    page = plan.page.with_name(f"{first}.html")
    assert read_signature(page)["again"] == f"snakemake --cores all --config studies={first} scale=smoke"


def test_another_study_that_cannot_be_shown_is_said_and_left_out(plan, capsys):
    first, second, *_ = plan.names
    stamped(plan, first)
    (plan.home(first) / "figure.png").unlink()
    build_page(only(plan, second))
    assert shown(plan) == [second]
    assert capsys.readouterr().err.startswith(f"{first}: not on the page: ")


def test_the_front_page_is_light(plan):
    build_page(plan)
    assert plan.page.stat().st_size < 200_000
    for name in plan.names:
        assert (plan.page.parent / f"{name}.png").stat().st_size < 60_000


def test_no_path_of_this_machine_is_in_a_page(plan):
    for page in build_page(plan):
        if page.suffix in (".html", ".svg"):
            assert str(plan.settings.results) not in page.read_text()
            assert str(plan.settings.root) not in page.read_text()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.503, "0.503"), (-1, "−1"), (0, "0"), (1.2e-7, "1.2 × 10⁻⁷"), (-3e8, "−3 × 10⁸"), (1234.5, "1234"), (None, "–"),
     (math.inf, "–"), (0.999, "0.999"), (0.00795, "0.00795"), (99999, "99999")],
)  # fmt: skip
def test_numbers_read_as_in_a_paper(value, text):
    assert number(value) == text


@given(st.floats(-1e12, 1e12).filter(lambda v: v == 0 or abs(v) > 1e-12))
def test_a_printed_number_is_the_number_to_three_digits(value):
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    text = number(value).replace("−", "-")
    mantissa, _, power = text.partition(" × 10")
    found = float(mantissa) * 10 ** int(power.translate(raised) or 0)
    assert found == pytest.approx(value, rel=6e-3)


def test_amounts_have_readable_units():
    assert whole(1234567) == "1\u202f234\u202f567"
    assert [duration(s) for s in (0.34, 12, 240, 7200)] == ["0.3 s", "12 s", "4.0 min", "2.0 h"]
    assert [size(b) for b in (12, 3.4e6)] == ["12 B", "3.4 MB"]


def test_the_bar_places_estimate_band_and_control_on_one_scale():
    claim = {
        "verdict": "supported", "bounds": [0.9, 1.1], "estimate": 1.0, "interval": [0.95, 1.05],
        "control": {"estimate": 0.0},
    }  # fmt: skip
    drawn = bar(claim)
    band = re.search(r'class="allowed" x="([\d.]+)" y="5" width="([\d.]+)"', drawn)
    point = float(re.search(r'class="estimate" cx="([\d.]+)"', drawn)[1])
    diamond = float(re.search(r'class="control" d="M([\d.]+)', drawn)[1])
    left, width = float(band[1]), float(band[2])
    assert left < point < left + width
    assert point == pytest.approx(left + width / 2, abs=0.2)
    assert (point - diamond) / width == pytest.approx(1.0 / 0.2, rel=0.02)


def test_a_claim_without_an_estimate_has_no_bar():
    claim = {"bounds": [0, 1], "estimate": None, "interval": [None, None], "control": {"estimate": 0.0}}
    assert bar(claim) == ""
