"""What names stand for, in the instrument and in a package of somebody's own."""

import subprocess
import sys
from pathlib import Path

import pytest

from dlatlas.declare import registry
from dlatlas.declare.registry import data_file, dimensions, load, makers, named, root
from dlatlas.errors import InputError
from dlatlas.identity import code
from dlatlas.planning.plan import Plan, Settings

OURS = ("dlatlas",)

STUDY = """
from dlatlas import Study, but, claim, count, exchangeable
from dlatlas.judging.statistics import average

STUDY = Study(
    title="A title", rows=("x",), kind="train", says="", formula="x", papers=(),
    parameters={"inputs": count(3, "inputs"), "outputs": count(1, "outputs"), "n_train": count(8, "examples")},
    claims=[claim("c", "s", "p", average("train_loss") >= 0, rival=exchangeable("seed"), fails=but("s", of="peak"))],
    theory=lambda cube: cube, figure=lambda *a: None, caption="",
)
"""
PARAMS = """
fixed: {model: mlp, data: gaussian_regression, steps: 3}
axes: {optimizer: [sgd], seed: {range: 2}}
measures: [train_loss]
scales: {smoke: {}}
"""
NEW = {
    "models/twin.py": "from torch import nn\n\nclass TwinNet(nn.Module):\n    pass\n",
    "data/rings.py": "def rings(n_train, *, folder, generator):\n    return None\n",
    "losses/absolute.py": "def absolute(output, target):\n    return (output - target).abs().mean()\n",
    "optimizers/lion.py": "from dlatlas.optimizers.rule import UpdateRule\n\nLION = UpdateRule(dict, None)\n",
    "measures/depth.py": (
        "from dlatlas.measures.measure import measure\n\n"
        '@measure("depth")\ndef depth_of_net(trained):\n    return None\n'
    ),
}
NAMES = {
    "models": "twin_net", "data": "rings", "losses": "absolute", "optimizers": "lion", "measures": "depth_of_net",
}  # fmt: skip


def forget():
    for cached in (registry.named, registry._folder, registry._body):
        cached.cache_clear()
    code.forget()


class Somebody:
    """A lab with one study, whose package has a name of its own."""

    def __init__(self, home: Path, package: str) -> None:
        self.home, self.package = home, package
        self.write("pyproject.toml", f'[tool.dlatlas]\nstudies = "{package}"\n', at=home)
        self.write("params/mine.yaml", PARAMS, at=home)
        self.write("data.dvc", "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e.dir\n  path: data\n", at=home)
        self.write("__init__.py", "")
        self.write("mine.py", STUDY)

    def write(self, name: str, text: str, at: Path | None = None) -> None:
        path = (at or self.home / self.package) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        forget()

    def plan(self) -> Plan:
        return Plan(Settings.read({"scale": "smoke", "results": self.home / "results"}, self.home))

    def names(self) -> set[str]:
        """Of all that is made: shards, measures, stages."""
        plan = self.plan()
        return {path.name for path in (*plan.cube_inputs("mine"), plan.stamp("mine", "verdict"))}


@pytest.fixture
def somebody(tmp_path, monkeypatch, request):
    monkeypatch.syspath_prepend(tmp_path)
    package = f"lab_{abs(hash(request.node.name))}"
    forget()
    yield Somebody(tmp_path, package)
    forget()
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[module]


@pytest.mark.parametrize("room", NAMES)
def test_a_new_file_renames_nothing_and_its_definition_can_be_named_at_once(somebody, room):
    before = somebody.names()
    (file,) = (name for name in NEW if name.startswith(f"{room}/"))
    somebody.write(file, NEW[file])
    assert somebody.names() == before
    place = root(room, NAMES[room], (*OURS, somebody.package))
    assert place.startswith(f"{somebody.package}.{room}.")
    assert load(place) is not None


def test_a_model_of_one_s_own_is_planned_by_its_name_and_by_its_place_alike(somebody):
    somebody.write("models/twin.py", NEW["models/twin.py"])
    place = f"{somebody.package}.models.twin:TwinNet"
    for said in ("twin_net", place):
        somebody.write("params/mine.yaml", PARAMS.replace("mlp", f'"{said}"'), at=somebody.home)
        (shard,) = somebody.plan().sweep("mine").shards
        assert somebody.plan().sweep("mine").things(somebody.plan().sweep("mine").shared(shard.stacks[0])) == {
            "model": place,
            "data": "dlatlas.data.gaussian:gaussian_regression",
            "loss": "dlatlas.losses.squared:half_mse",
            "optimizer": "dlatlas.optimizers.sgd:SGD",
        }


def test_a_change_in_a_model_of_one_s_own_renames_its_runs(somebody):
    somebody.write("models/twin.py", NEW["models/twin.py"])
    somebody.write("params/mine.yaml", PARAMS.replace("mlp", "twin_net"), at=somebody.home)
    before = somebody.names()
    somebody.write("models/twin.py", NEW["models/twin.py"].replace("pass", "why = 1"))
    assert not before & somebody.names()


def test_a_name_that_two_packages_have_is_refused(somebody):
    somebody.write("models/mine.py", "from torch import nn\n\nclass MLP(nn.Module):\n    pass\n")
    with pytest.raises(InputError, match=r"models\.mine:MLP: another model named 'mlp' is dlatlas\.models\.mlp:MLP"):
        somebody.plan().sweep("mine")


@pytest.mark.parametrize(
    ("room", "wrong", "near"),
    [
        ("models", "mpl", "mlp"),
        ("data", "digit", "digits"),
        ("losses", "cross_entrpy", "cross_entropy"),
        ("optimizers", "adm", "adam"),
        ("measures", "spectral_norm", "spectral_norms"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(room, wrong, near):
    with pytest.raises(InputError, match=rf'here: unknown {registry.ROOMS[room]} "{wrong}"; did you mean "{near}"'):
        root(room, wrong, OURS, "here")


@pytest.mark.parametrize("place", ["nosuch.module:Net", "dlatlas.models.mlp:", "dlatlas.models.mlp:a b", ":Net"])
def test_a_place_that_cannot_be_is_told(place):
    with pytest.raises(InputError, match=r"here: model '.*': expected module:name of a module that can"):
        root("models", place, OURS, "here")


def test_a_place_without_that_definition_is_told():
    with pytest.raises(InputError, match=r"dlatlas\.models\.mlp defines no Nothing"):
        load("dlatlas.models.mlp:Nothing")


@pytest.mark.parametrize(
    ("room", "name", "place"),
    [
        ("models", "mlp", "dlatlas.models.mlp:MLP"),
        ("models", "conv_net", "dlatlas.models.conv_net:ConvNet"),
        ("models", "taylor_mlp", "dlatlas.models.taylor_mlp:TaylorMLP"),
        ("data", "cifar10", "dlatlas.data.cifar:cifar10"),
        ("losses", "poly_tail", "dlatlas.losses.of_margin:poly_tail"),
        ("optimizers", "nesterov", "dlatlas.optimizers.momentum:NESTEROV"),
        ("measures", "top_hessian_residual", "dlatlas.measures.standard:top_hessian_residual"),
        ("measures", "jiang_129", "dlatlas.measures.jiang:jiang_129"),
    ],
)
def test_names_are_those_of_definitions_in_words(room, name, place):
    assert named(room, OURS)[name] == place


def test_what_only_helps_in_a_room_has_no_name():
    assert not {"like", "signed", "example_losses"} & set(named("losses", OURS))
    assert not {"top_hessian", "accuracy", "family_of"} & set(named("measures", OURS))
    assert "make" not in named("data", OURS)


@pytest.mark.parametrize("room", registry.ROOMS)
def test_everything_that_has_a_name_loads(room):
    for place in named(room, (*OURS, "dltheory")).values():
        assert callable(load(place)) or hasattr(load(place), "update"), place


def test_a_data_set_says_which_file_it_lies_in():
    assert data_file("dlatlas.data.cifar:cifar10") == "cifar10"
    assert data_file("dltheory.data.redrawn_digits:redrawn_digits") == "digits"
    assert data_file("dlatlas.data.gaussian:gaussian_regression") is None


def test_the_data_sets_that_can_be_made_are_known():
    expected = [f"dlatlas.data.{name}" for name in ("digits", "mnist1d", "photo_patches")]
    assert makers(OURS) == expected


def test_names_are_read_without_importing_what_they_name():
    code = (
        "import sys; from dlatlas.declare.registry import ROOMS, named\n"
        "found = [named(room, ('dlatlas', 'dltheory')) for room in ROOMS]\n"
        "sys.exit('torch' in sys.modules or not all(found))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("file", "text", "asked", "found"),
    [
        ("data/rings.py", 'FILE = "r" + "ings"\n', data_file, "'r' \\+ 'ings' is not known"),
        ("measures/depth.py", NEW["measures/depth.py"].replace('"depth")', '"depth", dims=DIMS)'), dimensions, "DIMS"),
        (
            "measures/depth.py",
            NEW["measures/depth.py"].replace('"depth")', '"depth", dims=("a", B))'),
            dimensions,
            "B is not known",
        ),
    ],
)
def test_what_is_read_and_not_run_is_written_in_words(somebody, file, text, asked, found):
    somebody.write(file, text)
    module = f"{somebody.package}.{file.removesuffix('.py').replace('/', '.')}"
    with pytest.raises(InputError, match=found) as told:
        asked(f"{module}:depth_of_net")
    assert str(told.value).count("\n") == 0


def test_a_file_with_a_type_hint_is_a_file(somebody):
    somebody.write("data/rings.py", 'FILE: str = "rings"\n' + NEW["data/rings.py"])
    assert data_file(f"{somebody.package}.data.rings:rings") == "rings"
