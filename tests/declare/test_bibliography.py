"""References are read from one BibTeX file, and what is wrong with it is told in one line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlatlas.declare.bibliography import Paper, keys, read
from dlatlas.declare.lab import Lab
from dlatlas.errors import InputError
from dlatlas.planning.plan import Plan, Settings

ROOT = Path(__file__).parents[2]

GOOD = "@article{kramers1940,\n  author = {Kramers, Hendrik A.},\n  title = {Motion},\n  year = {1940},\n}\n"


def written(folder, text):
    path = folder / "references.bib"
    path.write_text(text, encoding="utf-8")
    return path


def entry(**fields):
    fields = {"author": "A", "title": "T", "year": "2020"} | fields
    return "@article{a,\n" + "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value) + "}\n"


@pytest.fixture
def paper(tmp_path):
    """``paper(field=value)``: an entry of those fields, read."""
    return lambda **fields: read(written(tmp_path, entry(**fields)))["a"]


@pytest.mark.parametrize(
    ("written", "cited"),
    [
        ("Kramers", "Kramers"),
        ("Kramers, Hendrik A.", "Kramers"),
        ("Ziwei Ji and Telgarsky, Matus", "Ji & Telgarsky"),
        ("Sedghi and Gupta and Long", "Sedghi, Gupta & Long"),
        ("Soudry, Daniel and others", "Soudry et al."),
        (r"Holzm{\"u}ller, David", "Holzmüller"),
        (r"Erd\H{o}s, P. and G\"odel, Kurt and Poincar\'e, H.", "Erdős, Gödel & Poincaré"),
        (r"Jacot and {\c{S}}im{\c{s}}ek, Berfin", "Jacot & Şimşek"),
        ("Şimşek, Berfin", "Şimşek"),
        ("von Luxburg, Ulrike", "von Luxburg"),
        (r"d'Ascoli, St{\'e}phane", "d'Ascoli"),
        (r"Y{\i}lmaz, A.", "Yılmaz"),
        ("{Bureau of Weights, and Measures}", "Bureau of Weights, and Measures"),
    ],
)
def test_authors_are_cited_by_their_last_names(paper, written, cited):
    assert paper(author=written).authors == cited


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r"{Langevin} or Schr{\"o}dinger?", "Langevin or Schrödinger?"),
        (r"{{Deep {ReLU} networks}}", "Deep ReLU networks"),
        (r"Schr\"odinger and the na\"{\i}ve \'Etude", "Schrödinger and the naïve Étude"),
        (r"where \& why, 50 \% of it", "where & why, 50 % of it"),
        (r"\emph{In} \textit{vivo}", "In vivo"),
        ("two\n      lines", "two lines"),
    ],
)
def test_titles_are_plain_text(paper, written, said):
    assert paper(title=written).title == said


def test_the_venue_is_journal_and_volume_or_conference_or_archive(paper):
    assert paper(journal="JMLR", volume="19").venue == "JMLR 19"
    assert paper(booktitle="NeurIPS", volume="32").venue == "NeurIPS"
    assert paper(eprint="1611.03530", archiveprefix="arXiv").venue == "arXiv"
    assert paper(eprint="1611.03530", archiveprefix="arXiv", journal="PNAS").venue == "PNAS"
    assert paper().venue == ""


def test_a_paper_is_where_its_url_or_doi_or_eprint_says(paper):
    arxiv = {"eprint": "1611.03530", "archiveprefix": "arXiv"}
    assert paper(**arxiv).url == "https://arxiv.org/abs/1611.03530"
    assert paper(doi="10.4171/JEMS/14", **arxiv).url == "https://doi.org/10.4171/JEMS/14"
    assert paper(url=r"https://x.org/a\_b%20c", doi="10.4171/JEMS/14").url == "https://x.org/a_b%20c"
    assert paper().url == ""


def test_a_citation_has_authors_title_venue_and_year():
    assert Paper("k", "Ji & Telgarsky", "Margins", "ALT", 2021).cite() == "Ji & Telgarsky, Margins, ALT 2021"
    assert Paper("k", "Ji & Telgarsky", "Margins", "", 2021).cite() == "Ji & Telgarsky, Margins, 2021"


def test_an_entry_is_kept_as_it_stands_but_for_whitespace(tmp_path):
    path = written(
        tmp_path,
        'Notes.\n\n@Article{Knuth84,author={Knuth,   D.},\n\n\ttitle = "On {\\TeX}, at   last" ,\n year=1984 }\nMore',
    )
    assert read(path)["Knuth84"].bibtex == (
        '@Article{Knuth84,author={Knuth, D.},\n  title = "On {\\TeX}, at last" ,\n  year=1984 }'
    )


def test_what_a_file_defines_once_is_written_out_in_each_entry(tmp_path):
    path = written(
        tmp_path,
        '@string{neurips = "Advances"}\n'
        '@inproceedings{a, author = {A}, title = {T}, year = 2020,\n  booktitle = NeurIPS # " 32",\n  month = jan\n}\n',
    )
    paper = read(path)["a"]
    assert paper.venue == "Advances 32"
    assert '  booktitle = {Advances} # " 32",\n  month = jan\n' in paper.bibtex


def test_the_keys_are_those_of_the_entries_and_nothing_else(tmp_path):
    text = '@comment{note, to self}\n@preamble{"x"}\n@string{me = "A"}\nSee also:\n' + GOOD + entry()
    path = written(tmp_path, text)
    assert keys(path) == {"kramers1940", "a"} == set(read(path))


def test_the_keys_are_found_without_the_library():
    code = (
        "import sys; from pathlib import Path; from dlatlas.planning.plan import Plan, Settings\n"
        "plan = Plan(Settings.read({'scale': 'smoke', 'studies': 'catapult_phase'}, Path.cwd()))\n"
        "assert plan.sweep('catapult_phase').study.papers\n"
        "print('pybtex' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("look", [keys, read])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + GOOD.replace("kramers", "Kramers"), "Kramers1940: a second entry of that key; a key names one paper"),
        (entry(author=""), "a: has no author; an entry has author, title, year"),
        (entry(title=""), "a: has no title; an entry has author, title, year"),
        (entry(title="", booktitle="title"), "a: has no title; an entry has author, title, year"),
        (entry(year=""), "a: has no year; an entry has author, title, year"),
        (entry()[:-2] + "\n\n" + GOOD, "a: its braces do not balance"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_by_scan_and_by_reading(tmp_path, look, text, said):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {said}')}$"):
        look(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (entry(author=" "), "a: has no author; an entry has author, title, year"),
        (entry(title="{}"), "a: has no title; an entry has author, title, year"),
        (entry(year="to appear"), "a: year: expected four digits, found 'to appear'"),
        (entry().replace("{T},", "{T}"), "not BibTeX: syntax error in line 4: '}' expected"),
        (entry(title="T},\n  note = {x").replace("{x}", "x"), "not BibTeX: undefined string in line 4: x"),
        (GOOD + " " + entry().replace("@", "x @"), "a: expected its entry to begin a line, outside other entries"),
    ],
)
def test_what_only_reading_finds_is_told_in_one_line(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {said}')}$"):
        read(path)


@pytest.mark.parametrize("look", [keys, read])
def test_a_file_that_is_missing_or_no_text_is_told_in_one_line(tmp_path, look):
    with pytest.raises(InputError, match=r"^.*references\.bib: missing; the papers that studies name are its entries$"):
        look(tmp_path / "references.bib")
    (tmp_path / "references.bib").write_bytes(b"@article{\xff")
    with pytest.raises(InputError, match=r"^.*references\.bib: cannot be read: 'utf-8' codec .*$"):
        look(tmp_path / "references.bib")


@pytest.fixture
def lab(tmp_path):
    """``lab(text, more)``: a checkout with that BibTeX file, which has the atlas's studies."""

    def make(text, more="", name="references.bib"):
        (tmp_path / "pyproject.toml").write_text(f'[tool.dlatlas]\nstudies = "{ROOT / "src/dltheory"}"\n{more}')
        (tmp_path / "data.dvc").write_bytes((ROOT / "data.dvc").read_bytes())
        (tmp_path / name).write_text(text)
        return Lab.read(tmp_path)

    return make


def test_a_study_s_papers_are_those_that_it_names_in_its_order():
    lab = Lab.read(ROOT)
    for name in lab.chapters:
        study = lab.study(name)
        assert [paper.key for paper in lab.papers(study)] == list(study.papers)


def test_a_lab_may_name_another_file(lab):
    named = lab(entry().replace("{a,", "{lewkowycz2020,"), 'references = "papers.bib"\n', "papers.bib")
    study = named.study("catapult_phase")
    assert [paper.title for paper in named.papers(study)] == ["T"]
    with pytest.raises(InputError, match=r"references: expected a BibTeX file, found 3$"):
        lab("", "references = 3\n")
    with pytest.raises(InputError, match=r'unknown key "reference"; did you mean "references"\?$'):
        lab("", 'reference = "papers.bib"\n')


def test_a_paper_that_nobody_listed_stops_the_plan_before_anything_is_trained(lab):
    made = lab(entry().replace("{a,", "{lewkowycz2002,") + GOOD)
    plan = Plan(Settings.read({"scale": "smoke", "studies": "catapult_phase", "params": ROOT / "params"}, made.root))
    said = (
        f"{ROOT / 'src/dltheory/large_lr/catapult_phase.py'}: papers: "
        'unknown key of references.bib "lewkowycz2020"; did you mean "lewkowycz2002"?'
    )
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        plan.targets()


def test_a_file_that_is_missing_or_wrong_stops_the_plan_too(lab):
    wrong = lab(GOOD + GOOD)
    with pytest.raises(InputError, match=r"references\.bib: kramers1940: a second entry of that key"):
        wrong.study("catapult_phase")
    wrong.bibliography.unlink()
    with pytest.raises(InputError, match=r"references\.bib: missing"):
        Lab.read(wrong.root).study("catapult_phase")


def test_the_atlas_has_every_paper_that_a_study_names_and_no_other():
    lab = Lab.read(ROOT)
    named = {key for name in lab.chapters for key in lab.study(name).papers}
    assert named == set(keys(lab.bibliography))


def test_the_atlas_lists_its_papers_by_key_with_all_that_a_reader_wants():
    papers = read(Lab.read(ROOT).bibliography)
    assert list(papers) == sorted(papers)
    for key, paper in papers.items():
        assert paper.venue, key
        assert key.rstrip("bcd")[-4:] == str(paper.year), key
        assert not set(r"\{}") & set(paper.authors + paper.title + paper.venue), key
    assert [key for key, paper in papers.items() if not paper.url] == ["cho2009", "day1995", "kifer1981", "parter1961"]
