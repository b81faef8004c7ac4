"""Three studies on a real SLURM cluster of two small nodes, one with fake GPUs."""

import re
from collections import Counter

import pytest

STUDIES = ("catapult_phase", "conv_layer_singular_values_fft", "lazy_vs_mean_field_scaling")


def told(repo):
    return (repo.path / "snakemake.log").read_text()


def files(folder):
    """The content of every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def pair(checkout, lab, tmp_path_factory):
    """Three studies made on the cluster and, at the same time, on this machine."""
    here = checkout(tmp_path_factory.mktemp("here") / "repo", STUDIES)
    here.edit("src/dlatlas/judging/verdict.py", "DRAWS = 499", "DRAWS = 49")  # the same on both sides, sooner
    here.edit("src/dlatlas/judging/verdict.py", "SHUFFLES = 199", "SHUFFLES = 19")
    there = here.copy(tmp_path_factory.mktemp("there") / "repo")
    there.site = lab.dlatlas(there, "cluster", "init")
    process = lab.snakemake(there)
    done = here.snakemake("--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert process.wait(400) == 0, told(there)
    return here, there


def test_init_finds_partitions_and_gpu(pair):
    assert "partition: cpu\n" in pair[1].site
    assert "gpu_partition: gpu\ngpus: 1\n" in pair[1].site
    assert "max_minutes: 600\n" in pair[1].site
    assert "max_mb: 6000\n" in pair[1].site


def test_shards_measures_cubes_and_verdicts_are_jobs_and_the_short_rules_are_not(pair):
    submitted = re.findall(r"Job \d+ has been submitted .*/rule_(\w+?)/", told(pair[1]))
    assert set(submitted) == {"train", "measure", "cube", "verdict"}
    assert Counter(submitted)["cube"] == len(STUDIES)


@pytest.mark.parametrize("study", STUDIES)
def test_the_cluster_s_cube_is_the_local_one(pair, study):
    here, there = (files(repo.path / "results" / study / "cube.zarr") for repo in pair)
    assert len(here) > 10
    assert here == there


def test_the_cluster_s_page_is_the_local_one(pair):
    def page(repo):
        found = files(repo.path / "results" / "atlas")
        return {
            name: re.sub(rb"[\d.,]+ \w+ of computing", b"TIME", content)
            for name, content in found.items()
            if not name.startswith("stamps")
        }

    here, there = (page(repo) for repo in pair)
    assert set(here) == set(there)
    assert "index.html" in here
    assert [name for name in here if here[name] != there[name]] == []


def test_a_training_is_given_a_gpu_and_a_solve_is_not(pair):
    logs = pair[1].path / "logs"
    (training,) = (logs / "catapult_phase").glob("train-*.log")
    assert "SLURM gave this job GPU 0, but torch sees no CUDA device" in training.read_text()
    assert "GPU" not in next((logs / "conv_layer_singular_values_fft").glob("train-*.log")).read_text()
    text = told(pair[1])
    assert "gpu=1, slurm_partition=gpu" in text.split("study=catapult_phase")[1].splitlines()[1]
    assert "slurm_partition=cpu" in text.split("study=conv_layer")[1].splitlines()[1]
