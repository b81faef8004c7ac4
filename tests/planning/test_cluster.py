import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlatlas.errors import AtlasError, InputError
from dlatlas.planning import cluster
from dlatlas.planning.cluster import Requests, Site, find_site, minutes_of, read_site, write_site
from dlatlas.planning.plan import Plan, Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("limit", "minutes"), [("1-00:00:00", 1440), ("2:30:00", 150), ("30:00", 30), ("infinite", None), ("n/a", None)]
)
def test_time_limits_are_read_as_sinfo_prints_them(limit, minutes):
    assert minutes_of(limit) == minutes


SINFO = """cpu*|1-00:00:00|64000|(null)
cpu*|1-00:00:00|32000+|(null)
fat|infinite|1000000|(null)
gpu|12:00:00|256000|gpu:a100:4(S:0-1)
gpu|12:00:00|128000|gpu:a100:2,shard:8
"""


def says(monkeypatch, sinfo, account="physics\n"):
    def asked(*command):
        if command[0] == "sacctmgr" and account is None:
            raise AtlasError("sacctmgr: no accounting")
        return {"sinfo": sinfo, "sacctmgr": account, "id": "me\n"}[command[0]]

    monkeypatch.setattr(cluster, "asked", asked)


def test_a_site_has_its_default_partition_its_gpus_and_your_account(monkeypatch):
    says(monkeypatch, SINFO)
    assert find_site() == Site(
        account="physics", partition="cpu", max_minutes=1440, max_mb=32000,
        gpu_partition="gpu", gpus=1, gpu_model="a100", gpu_max_minutes=720, gpu_max_mb=128000,
    )  # fmt: skip


def test_a_site_without_gpus_or_accounting_has_none(monkeypatch):
    says(monkeypatch, "main*|infinite|4000|(null)\n", account=None)
    assert find_site() == Site(partition="main", max_mb=4000)


def test_a_partition_may_be_chosen_and_a_wrong_one_is_named(monkeypatch):
    says(monkeypatch, SINFO)
    assert find_site(partition="fat").max_mb == 1_000_000
    with pytest.raises(InputError, match='--partition: unknown partition "fta"; did you mean "fat"'):
        find_site(partition="fta")


def test_a_site_file_is_read_as_it_was_written(tmp_path):
    site = Site(account="123", partition="cpu", gpus=2, max_minutes=60)
    write_site(tmp_path / "site.yaml", site)
    assert read_site(tmp_path / "site.yaml") == site
    assert read_site(tmp_path / "none.yaml") == Site()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partion: cpu", 'unknown key "partion"; did you mean "partition"?'),
        ("gpus: two", "gpus: expected a whole number, found 'two'"),
        ("max_mb: -1", "max_mb: expected a whole number, found -1"),
        ("- cpu", "expected keys and values, found"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_site_file_is_told_in_one_line(tmp_path, text, said):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_site(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture
def requests(tmp_path, monkeypatch):
    """``requests(study, site, **estimate)``: resources of the first shard's training, and its wildcards."""
    monkeypatch.setattr(cluster, "jobs_of", lambda folder: iter(()))

    def of(study, site, **estimate):
        plan = Plan(Settings.read({"scale": "smoke", "studies": study, "results": tmp_path}, ROOT))
        shard = plan.sweep(study).shards[0].digest
        if estimate:
            path = cluster.estimates_path(plan, study)
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({"shards": {shard: estimate}}))
        monkeypatch.setattr(cluster, "read_site", lambda path: site)
        return Requests(plan), SimpleNamespace(study=study, digest=shard)

    return of


def test_each_attempt_asks_for_more_up_to_what_the_partition_has(requests):
    found, wildcards = requests("triple_descent", Site(max_minutes=100, max_mb=5000), seconds=585.0, megabytes=1000.0)
    asked = found.of("train")
    assert [asked["runtime"](wildcards, attempt) for attempt in (1, 2, 3, 4)] == [30, 60, 90, 100]
    assert [asked["mem_mb"](wildcards, attempt) for attempt in (1, 2)] == [2700, 5000]


def test_without_an_estimate_an_hour_and_four_gigabytes_are_asked_for(requests):
    found, wildcards = requests("triple_descent", Site())
    assert found.of("train")["runtime"](wildcards, 1) == 60
    assert found.of("train")["mem_mb"](wildcards, 1) == 4000


def test_trainings_go_to_the_gpus_and_solves_do_not(requests):
    site = Site(partition="cpu", gpu_partition="gpu", gpus=1, gpu_model="a100")
    found, wildcards = requests("catapult_phase", site)
    train, measure = found.of("train"), found.of("measure")
    names = ("gpu", "gpu_model", "gres", "slurm_partition")
    assert [train[name](wildcards) for name in names] == [1, "a100", None, "gpu"]
    assert [measure[name](wildcards) for name in names] == [None, None, None, "cpu"]
    found, wildcards = requests("triple_descent", site)
    assert [found.of("train")[name](wildcards) for name in names] == [None, None, None, "cpu"]


def test_a_gres_is_said_instead_of_gpus(requests):
    found, wildcards = requests("catapult_phase", Site(gpus=1, gpu_model="a100", gres="shard:1"))
    assert [found.of("train")[name](wildcards) for name in ("gpu", "gpu_model", "gres")] == [None, None, "shard:1"]


def test_a_job_waits_for_the_one_that_a_killed_snakemake_left_but_its_retry_does_not(requests, monkeypatch):
    found, wildcards = requests("triple_descent", Site())
    left = cluster.Job("42", "RUNNING", "train", "triple_descent", wildcards.digest)
    monkeypatch.setattr(cluster, "jobs_of", lambda folder: iter([left]))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    extra = found.of("train")["slurm_extra"]
    assert extra(wildcards, 1) == "--dependency=afterany:42"
    assert extra(wildcards, 2) is None
    assert found.of("verdict")["slurm_extra"](wildcards, 1) is None


def test_jobs_of_this_folder_are_told_from_others(monkeypatch, tmp_path):
    digest = "0123456789abcdef0123"
    lines = [
        f"7|PENDING|{tmp_path}|rule_train_wildcards_triple_descent_{digest}",
        f"8|RUNNING|/elsewhere|rule_train_wildcards_triple_descent_{digest}",
        f"9|RUNNING|{tmp_path}|somebody's own",
    ]
    monkeypatch.setattr(cluster, "asked", lambda *command: "\n".join(lines))
    monkeypatch.setattr(cluster.shutil, "which", lambda name: name)
    assert list(cluster.jobs_of(tmp_path)) == [cluster.Job("7", "PENDING", "train", "triple_descent", digest)]


def test_a_missing_command_is_one_line():
    with pytest.raises(AtlasError, match="no-such-command: no such command: is this a SLURM login node"):
        cluster.asked("no-such-command")
