"""Finding studies and their params: in chapters, without them, and where something is out of place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlatlas.declare.lab import Lab, check_pairs, load_study
from dlatlas.errors import AtlasError, InputError

ROOT = Path(__file__).parents[2]

STUDY = """
from dlatlas import Study, but, claim, count, exchangeable
from dlatlas.judging.statistics import average

STUDY = Study(
    title="A title", rows=("x",), kind="solve", says="", formula="", papers=(),
    parameters={"width": count(4, "width")},
    claims=[claim("c", "s", "p", average("status") >= 0, rival=exchangeable("seed"), fails=but("s", of="width"))],
    theory=lambda cube: cube, figure=lambda *a: None, caption="",
)
"""


@pytest.fixture
def lab(tmp_path, monkeypatch, request):
    """``lab({path: text})``: a lab with these files in its package, whose name is its own."""
    package = f"found_{abs(hash(request.node.name))}"
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(files: dict[str, str]) -> Lab:
        (tmp_path / "pyproject.toml").write_text(f'[tool.dlatlas]\nstudies = "src/{package}"\n')
        for name, text in files.items():
            path = tmp_path / "src" / package / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Lab.read(tmp_path)

    yield make
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[module]


def test_a_lab_that_says_nothing_has_its_studies_in_studies(tmp_path):
    found = Lab.read(tmp_path)
    assert (found.folder, found.package, found.tour, found.chapters) == (tmp_path / "studies", "studies", (), {})


def test_this_checkout_is_a_lab(lab):
    atlas = Lab.read(ROOT)
    assert atlas.package == "dltheory"
    assert atlas.chapters["catapult_phase"] == "large_lr"
    assert set(atlas.tour) < set(atlas.chapters)


def test_studies_are_found_in_chapters_and_beside_them_but_not_in_what_they_share(lab):
    found = lab(
        {"alone": "", "kernel/wide": "", "kernel/__init__": "", "theory/law": "", "models/net": "", "_draft/x": ""}
    )
    assert found.chapters == {"alone": "", "wide": "kernel"}
    assert found.module("wide") == f"{found.package}.kernel.wide"
    assert found.near(found.file("wide")) == f"src/{found.package}/kernel/wide.py"


def test_a_study_knows_its_name_its_chapter_and_where_its_names_are_looked_up(lab):
    found = lab({"alone": STUDY, "kernel/wide": STUDY})
    alone, wide = found.study("alone"), found.study("wide")
    assert (alone.name, alone.chapter, wide.name, wide.chapter) == ("alone", "", "wide", "kernel")
    assert wide.packages == ("dlatlas", found.package)
    assert load_study(wide.module) == wide


def test_an_unknown_study_is_told_the_nearest(lab):
    found = lab({"kernel/wide_networks": STUDY})
    with pytest.raises(InputError, match='unknown study "wide_network"; did you mean "wide_networks"'):
        found.study("wide_network")


def test_two_studies_of_one_name_are_refused(lab):
    with pytest.raises(InputError, match=r"mean_field/wide\.py: another study of that name is .*kernel/wide\.py"):
        lab({"kernel/wide": STUDY, "mean_field/wide": STUDY}).chapters  # noqa: B018


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"wide\.py: expected a record STUDY = Study\(\.\.\.\), found None"),
        ("STUDY = 3\n", r"wide\.py: expected a record STUDY = Study\(\.\.\.\), found 3"),
        ("1 / 0\n", r"wide\.py: ZeroDivisionError: division by zero"),
        ("def (\n", r"wide\.py: SyntaxError"),
        (
            STUDY + "import dataclasses\nSTUDY = dataclasses.replace(STUDY, claims=())\n",
            r"wide\.py: claims: expected at",
        ),
    ],
)
def test_a_file_that_is_no_study_is_told_in_one_line(lab, text, message):
    with pytest.raises(AtlasError, match=message) as caught:
        lab({"kernel/wide": text}).study("wide")
    assert "\n" not in str(caught.value)


def test_a_package_of_that_name_from_somewhere_else_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.dlatlas]\nstudies = "dltheory"\n')
    (tmp_path / "dltheory").mkdir()
    (tmp_path / "dltheory" / "wide.py").write_text(STUDY)
    with pytest.raises(
        AtlasError, match=r"this checkout's studies are .*, but dltheory is imported from .*src/dltheory"
    ):
        Lab.read(tmp_path).study("wide")


def test_folders_of_one_name_without_init_are_told_apart(lab, tmp_path, monkeypatch):
    found = lab({"kernel/wide": STUDY})
    (tmp_path / "other" / found.package).mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "other"), str(found.folder.parent), *sys.path])
    with pytest.raises(AtlasError, match=rf"but {found.package} is imported from .*/other/{found.package}"):
        found.check()


def test_an_instrument_from_another_checkout_is_refused(lab, tmp_path):
    found = lab({"kernel/wide": STUDY})
    found.check()  # a lab has none of its own
    (tmp_path / "src" / "dlatlas").mkdir()
    with pytest.raises(AtlasError, match=r"^this checkout is .*, but dlatlas is imported from .*src/dlatlas; [^\n]*$"):
        found.check()
    Lab.read(ROOT).check()


def test_a_scratch_file_in_a_lab_is_not_python_s_own(tmp_path):
    for name, text in (("studies/wide.py", STUDY), ("code.py", "raise SystemExit('taken for a module of Python')\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    words = f"from pathlib import Path\nfrom dlatlas.declare.lab import Lab\nLab.read(Path({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{words}.study('wide')\nimport code\nprint(code.__name__)"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "code\n"), done.stderr


def test_what_a_study_prints_is_not_what_a_command_says(lab, capfd):
    lab({"kernel/wide": "print('loading')\n" + STUDY}).study("wide")
    assert capfd.readouterr() == ("", "loading\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[tool.dlatlas]\nstudy = "x"\n',
            r'toml: \[tool\.dlatlas\]: unknown key "study"; did you mean "studies"',
        ),
        ("[tool", r"pyproject\.toml: "),
    ],
)
def test_a_wrong_pyproject_is_told(tmp_path, text, message):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        Lab.read(tmp_path)


PAIRS = {
    "params without a study": (
        {"kernel/wide.yaml": "", "kernel/deep.yaml": ""},
        r"params/kernel/deep\.yaml: there is no src/.*/kernel/deep\.py",
    ),
    "a study without params": ({}, r"src/.*/kernel/wide\.py: there is no params/kernel/wide\.yaml"),
    "another chapter": (
        {"deep/wide.yaml": ""},
        r"params/deep/wide\.yaml: its study is src/.*/kernel/wide\.py; both lie in one chapter",
    ),
    "two of one name": (
        {"wide.yaml": "", "kernel/wide.yaml": ""},
        r"params/kernel/wide\.yaml: another params file of that name is params/wide\.yaml",
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_studies_and_params_that_are_no_pairs_are_told(lab, tmp_path, case):
    files, message = PAIRS[case]
    found = lab({"kernel/wide": STUDY})
    for name, text in files.items():
        (tmp_path / "params" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "params" / name).write_text(text)
    with pytest.raises(InputError, match=message):
        check_pairs(found, found.params(tmp_path / "params"))


def test_a_chapter_says_its_question_and_its_story(lab):
    found = lab({"kernel/__init__": '"""When is a net linear?\n\nWide ones\nare.\n"""\n'})
    assert found.story("kernel") == ("When is a net linear?", "Wide ones are.")
    assert found.story("no_such") == ("no such", "")
