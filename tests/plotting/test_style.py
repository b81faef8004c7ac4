import io
import json

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlatlas.declare.study import Study
from dlatlas.errors import AtlasError
from dlatlas.planning.provenance import read_signature
from dlatlas.plotting.draw import draw, settle
from dlatlas.plotting.style import STYLE, mean_interval, median_interval, new_figure, points, shades

VERDICT = {"verdict": "not reproduced", "claims": [{"verdict": "not reproduced"}, {"verdict": "supported"}]}


def test_the_mean_interval_is_student_s():
    values = np.random.default_rng(0).normal(size=(3, 12))
    middle, low, high = mean_interval(values)
    expected = stats.t.interval(0.95, 11, values.mean(1), stats.sem(values, axis=1))
    np.testing.assert_allclose((low, high), expected)
    np.testing.assert_allclose(middle, values.mean(1))


def test_the_mean_interval_leaves_diverged_runs_out():
    values = np.array([[1.0, 2.0, np.nan, 3.0]])
    np.testing.assert_allclose(mean_interval(values), mean_interval(np.array([[1.0, 2.0, 3.0]])))


def test_the_median_interval_covers_what_order_statistics_promise():
    rng = np.random.default_rng(0)
    _, low, high = median_interval(rng.standard_cauchy((2000, 15)))
    covered = np.mean((low <= 0) & (high >= 0))
    exact = stats.binom.cdf(11, 15, 0.5) - stats.binom.cdf(3, 15, 0.5)  # ranks 4 and 12 of 15
    assert exact == pytest.approx(0.9648, abs=1e-4)
    assert covered == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 2000))


@given(st.integers(1, 30))
def test_the_median_lies_in_its_interval(n):
    values = np.random.default_rng(n).normal(size=(4, n))
    middle, low, high = median_interval(values)
    assert np.all((low <= middle) & (middle <= high))


def test_points_carry_their_intervals():
    _, (panel,) = new_figure()
    values = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("x", "seed"))
    points(panel, [1, 2], values, color="k")
    ((_, _, (bars,)),) = panel.containers
    middle, low, high = mean_interval(values.values)
    for segment, x, a, b in zip(bars.get_segments(), (1, 2), low, high):
        np.testing.assert_allclose(segment, [[x, a], [x, b]])
    assert np.all(low < middle)
    plt.close("all")


def test_shades_are_distinct():
    assert len(set(shades(8))) == 8


def study(figure):
    return Study(
        title="A title", rows=("x",), kind="solve", says="", formula="", papers=(), claims=(),
        caption="", theory=lambda cube: cube, figure=figure, parameters={},
    )  # fmt: skip


def drawn(cube, theory, verdict):
    figure, (panel,) = new_figure()
    panel.plot([0, 1], [1, 2])
    return figure


CUBE = xr.Dataset(attrs={"study": "toy"})


def test_the_signature_is_in_both_files_and_equal_input_gives_equal_bytes(tmp_path):
    signature = {"cube": "abc", "again": "snakemake", "cite": '<Ångström & "others">'}
    svg, png = draw(study(drawn), CUBE, VERDICT, tmp_path, json.dumps(signature))
    assert read_signature(svg) == read_signature(png) == signature
    again = draw(study(drawn), CUBE, VERDICT, tmp_path / "again", json.dumps(signature))
    assert [path.read_bytes() for path in again] == [svg.read_bytes(), png.read_bytes()]


def test_the_verdict_stands_in_the_corner(tmp_path):
    seen = []

    def figure(*args):
        seen.append(drawn(*args))
        return seen[0]

    draw(study(figure), CUBE, VERDICT, tmp_path, "{}")
    texts = [text.get_text() for text in seen[0].texts]
    assert "A title" in texts
    assert "≠ not reproduced · 1 of 2 hold" in texts


def test_a_figure_that_raises_is_one_line_and_leaves_no_file(tmp_path):
    def broken(*args):
        raise ValueError("no axis")

    with pytest.raises(AtlasError, match="study toy: figure: ValueError: no axis"):
        draw(study(broken), CUBE, VERDICT, tmp_path, "{}")
    assert not list(tmp_path.iterdir())


def test_a_last_digit_of_the_layout_does_not_reach_the_file(monkeypatch):
    """The solver of matplotlib's layout goes by addresses in memory: its last digit is not the same each time."""

    def saved(nudge):
        figure, panels = new_figure(3)
        for power, panel in enumerate(panels):
            panel.loglog(np.arange(1, 65), np.arange(1, 65.0) ** power)
        lay_out = figure.draw_without_rendering

        def lay_out_nearly():
            lay_out()
            for panel in panels:
                panel.set_position([np.nextafter(edge, nudge) for edge in panel.get_position().bounds])

        monkeypatch.setattr(figure, "draw_without_rendering", lay_out_nearly)
        settle(figure)
        buffer = io.BytesIO()
        with mpl.rc_context(fname=STYLE):
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue(), [panel.get_position().bounds for panel in panels]

    (one, edges), (two, _) = saved(-1.0), saved(2.0)
    assert one == two
    assert len({left for left, *_ in edges}) == 3
