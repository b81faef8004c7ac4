import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from dlatlas.reproduction.pictures import compare_figures, side_by_side, unsigned


@pytest.fixture
def folder(tmp_path):
    def make(name, signature="commit a", stroke="red", shade=100, size=(40, 30)):
        home = tmp_path / name
        home.mkdir()
        text = f"<svg><dc:description>{signature}\n</dc:description><path stroke='{stroke}'/></svg>"
        (home / "figure.svg").write_text(text)
        info = PngImagePlugin.PngInfo()
        info.add_text("Description", signature)
        Image.new("L", size, shade).save(home / "figure.png", pnginfo=info)
        return home

    return make


def test_the_same_drawing_signed_by_another_commit_is_identical(folder):
    was, now = folder("was"), folder("now", signature="commit b")
    assert (was / "figure.png").read_bytes() != (now / "figure.png").read_bytes()
    assert compare_figures(was, now, "identical") == []


def test_only_the_signature_is_left_out():
    assert unsigned(b"<a><dc:description>x</dc:description><b/></a>") == b"<a><b/></a>"


@pytest.mark.parametrize(
    ("numbers", "outcome"),
    [
        ("identical", "different"),
        ("within tolerance", "within tolerance"),
        ("different", "different"),
        (None, "different"),
    ],
)
def test_another_drawing_is_judged_by_the_numbers_it_shows(folder, numbers, outcome):
    found = compare_figures(folder("was"), folder("now", stroke="blue", shade=101), numbers)
    assert [(item.what, item.outcome) for item in found] == [("figure.svg", outcome), ("figure.png", outcome)]
    assert found[1].said == "100.00% of the pixels"


def test_one_pixel_is_seen_and_shown_where_it_is(folder):
    was, now = folder("was"), folder("now")
    with Image.open(now / "figure.png") as picture:
        changed = picture.copy()
    changed.putpixel((7, 5), 0)
    changed.save(now / "figure.png")
    (found,) = compare_figures(was, now, "identical")
    assert found.said == "0.08% of the pixels"
    beside = np.asarray(Image.open(io.BytesIO(side_by_side(was / "figure.png", now / "figure.png", ("a", "b")))))
    assert beside.shape == (90, 120, 3)
    dark = np.argwhere(beside[60:, 80:, 0] == 0)
    assert dark.tolist() == [[5, 7]]


def test_another_size_a_missing_file_and_no_figure_are_told(folder, tmp_path):
    was = folder("was")
    wider = folder("wider", size=(50, 30))
    assert compare_figures(was, wider, "identical")[0].said == "50 × 30 pixels, was 40 × 30"
    assert Image.open(io.BytesIO(side_by_side(was / "figure.png", wider / "figure.png", ("", "")))).size == (90, 90)
    (wider / "figure.png").unlink()
    assert [(d.what, d.said) for d in compare_figures(was, wider, "identical")] == [("figure.png", "missing")]
    assert compare_figures(was, tmp_path, "identical") is None
    assert compare_figures(tmp_path, was, "identical") is None


def test_half_a_picture_is_a_difference_not_an_error(folder):
    was, now = folder("was"), folder("now")
    (now / "figure.png").write_bytes((now / "figure.png").read_bytes()[:60])
    (found,) = compare_figures(was, now, "identical")
    assert found.said.startswith("not a readable picture")
