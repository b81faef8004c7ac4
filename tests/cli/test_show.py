"""What the terminal shows of the same results."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dlatlas.cli.show import card, table
from dlatlas.planning.plan import Plan, Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plan(made_up_plan):
    return made_up_plan


def printed(function, *args, width=100):
    out = io.StringIO()
    function(*args, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_the_table_has_a_line_a_study_with_its_verdict(plan):
    lines = printed(table, plan).splitlines()
    assert len(lines) == 1 + len(plan.names)
    for name, line in zip(plan.names, lines[1:]):
        assert line.startswith(name)
        assert f"{plan.sweep(name).size:,}" in line
    assert "✓ supported" in lines[1]
    assert "✗ contradicted, 0 of " in lines[2]


def test_the_table_fits_a_narrow_terminal(plan):
    assert max(map(len, printed(table, plan, width=80).splitlines())) <= 80


def test_a_study_that_has_not_run_says_so(plan):
    (plan.home(plan.names[0]) / "verdict.json").unlink()
    assert "not yet" in printed(table, plan).splitlines()[1]
    assert "not yet" in printed(card, plan, plan.names[0])


def test_a_verdict_of_another_scale_is_not_shown(plan):
    path = plan.home(plan.names[0]) / "verdict.json"
    path.write_text(path.read_text().replace('"scale": "smoke"', '"scale": "laptop"'))
    assert "not yet" in printed(table, plan).splitlines()[1]


def test_the_card_has_every_claim_with_what_is_expected_and_found(plan):
    name = plan.names[0]
    said = " ".join(printed(card, plan, name, width=200).split())
    for claim in plan.sweep(name).study.claims:
        assert claim.name in said
        assert str(claim.expected) in said
    assert "found: -0.503 [-0.52, -0.49], control 0 fails; rival: " in said
    assert ", p = 0.005" in said
    assert f"{plan.sweep(name).size:,} runs in {len(plan.sweep(name).shards)} jobs" in said


def test_looking_needs_no_torch():
    code = "import sys, dlatlas.cli.show, dlatlas.cli.app; sys.exit('torch' in sys.modules or 'xarray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_spoilt_params_file_does_not_hide_the_other_studies(tmp_path):
    params = tmp_path / "params"
    params.mkdir()
    for name in ("triple_descent", "double_descent"):
        (source,) = (ROOT / "params").glob(f"*/{name}.yaml")
        (params / f"{name}.yaml").write_bytes(source.read_bytes())
    (params / "double_descent.yaml").write_bytes(b"fixed: {\xff")
    console = Console(width=100, file=io.StringIO())
    faults = table(Plan(Settings.read({"params": params, "results": tmp_path}, ROOT)), console)
    assert len(faults) == 1
    assert faults[0].endswith("double_descent.yaml: line 1: byte 8 is not UTF-8; save the file as UTF-8 text")
    lines = {line.split()[0]: line for line in console.file.getvalue().splitlines()[1:]}
    assert "error" in lines["double_descent"]
    assert "solve" in lines["triple_descent"]
