"""``make mutate``: plants one fault at a time in measures, theory, statistics and verdicts, and runs their tests.

A fault is one that people make: a sign, a factor of two, a square, an end for the other, one too many. It is killed if
a test fails. Prints the survivors; the exit status is 1 if fewer than nine in ten are killed. Nothing of the checkout
is changed: the faults are planted in a copy.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOAL = 0.9

FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "dlatlas/measures/conv": (("into * stride**2) / stride", "into * stride**2)"), ("m = n // stride", "m = n")),
    "dlatlas/measures/curvature": (("start, steps, top, bottom)", "start, steps, bottom, top)"),
        ("(output,), (moved,))[1]", "(output,), (output,))[1]"),),
    "dlatlas/measures/gradient_noise": (
        ("g = g - g.mean(0)", "g = g + 0"),
        ("g @ g.T / len(g)", "g @ g.T"),
        (".flip(-1)[:top]", "[:top]"),
    ),
    "dlatlas/measures/jiang": (
        ("(value - math.log(m)) / 2", "value - math.log(m)"),
        (".kthvalue(max(1, margin.shape[1] // 10)", ".kthvalue(1"),
        ("(variance + 1) * size", "variance * size"),
        ("sigma**2 * w**2 + EPSILON**2", "sigma**4 * w**2 + EPSILON**2"),
        ("torch.where(borne >= least, sigma, low)", "torch.where(borne < least, sigma, low)"),
        ("_product(of, over_margin, facts) / facts.layers", "_product(of, over_margin, facts)"),
    ),
    "dlatlas/measures/kernels": (
        ("(kernel - initial)", "(kernel + initial)"),
        ("/ torch.linalg.vector_norm(initial", "/ torch.linalg.vector_norm(kernel"),
    ),
    "dlatlas/measures/lanczos": (
        ("values.flip(-1), rotation.mT.flip(-2)", "values, rotation.mT"),
        ("range(2):\n        w = w -", "range(0):\n        w = w -"),
        ("max(top, count - bottom)", "max(top, count - bottom - 1)"),
    ),
    "dlatlas/measures/linear_regions": (
        ("before * after < 0", "before * after > 0"),
        ("share * (nodes", "(1 - share) * (nodes"),
    ),
    "dlatlas/losses/of_margin": (("torch.exp(-signed(output, target))", "torch.exp(signed(output, target))"),),
    "dlatlas/losses/squared": (
        ("return mse(output, target) / 2", "return mse(output, target)"),
        (".square().sum() / output.shape[0]", ".square().mean()"),
    ),
    "dlatlas/measures/margins": (("others.amax(-1)", "others.amin(-1)"), ("margin * margin.shape[-1] /", "margin /")),
    "dlatlas/measures/neural_collapse": (
        ("1 / values[keep]) / classes", "1 / values[keep])"),
        ("norms.std() / norms.mean()", "norms.var() / norms.mean()"),
    ),
    "dlatlas/measures/norms": (
        ("spectral_norms(weights)).square()", "spectral_norms(weights))"),
        (".pow(2 / 3).sum(-1).pow(1.5)", ".pow(2 / 3).sum(-1).pow(2 / 3)"),
        ("spectral_norms(weights).prod(-1)", "spectral_norms(weights).sum(-1)"),
    ),
    "dltheory/theory/arc_cosine": (
        ("c * (np.pi - np.arccos(c))", "c * np.arccos(c)"),
        ("cosine * dual_of_slope(cosine)", "dual_of_slope(cosine)"),
    ),
    "dltheory/theory/catapult": (
        ("lr * kernel - 4)", "lr * kernel - 2)"),
        ("1 - lr * kernel + lr", "1 - lr * kernel - lr"),
    ),
    "dltheory/theory/deep_linear": (
        ("** (2 - 2 / factors) * (target", "** (2 - 1 / factors) * (target"),
        ("rates = -factors *", "rates = factors *"),
        ("(share * np.log(share)).sum()))", "(share * np.log2(share)).sum()))"),
    ),
    "dltheory/theory/exponential_law": (("law - steps - 1 / n", "law - steps"), ("(1 + above) / (1 +", "above / (1 +")),
    "dltheory/theory/hard_margin": (
        ("alpha = u / (1 - u.sum())", "alpha = u / (1 + u.sum())"),
        ("s = np.log(rate) - mean", "s = np.log(rate) + mean"),
    ),
    "dltheory/theory/interpolation": (("z - step / 2", "z + step / 2"),),
    "dltheory/theory/lazy": (("(1 - h**2) * a**2", "(1 - h) * a**2"), ("return kernel / len(a)", "return kernel")),
    "dltheory/theory/majority_vote": (("ndtr(-snr)", "ndtr(snr)"), ("else 2) * adversaries", "else 1) * adversaries")),
    "dltheory/theory/mean_field": (
        ("2 / np.pi * np.arcsin", "np.arcsin"),
        ("back * u\n", "u\n"),
        ("4 / np.pi * np.stack", "2 / np.pi * np.stack"),
        ("2 * scale * height * cross", "scale * height * cross"),
    ),
    "dltheory/theory/nested_variance": (
        ("(grand**2).sum(-1) - between / sets", "(grand**2).sum(-1)"),
        ("between - within / starts", "between"),
        ("(sets * (starts - 1))", "(sets * starts)"),
        ("(n - 1) * outputs /", "n * outputs /"),
    ),
    "dltheory/theory/norms": (
        ("top * np.sign(u) * share", "top * share"),
        ("np.inf if p == 1 else 1.0 if", "1.0 if p == 1 else np.inf if"),
    ),
    "dltheory/theory/random_feature_ridge": (
        ("(z**2 - 1) / np.sqrt(2)", "(z**2 - 1) / 2"),
        ("pairs = d * (d + 1) / 2", "pairs = d * (d - 1) / 2"),
        ("noise * (found.factor - 1)", "noise * found.factor"),
        ("found.bias * found.factor - average", "found.bias * found.factor - found.floor"),
        ("r - ridge - r / p *", "r - ridge - ridge / p *"),
    ),
    "dltheory/theory/reverse_diffusion": (
        ("ratio - 1 - np.log(ratio)", "ratio + 1 - np.log(ratio)"),
        ("2 * np.exp(-gap) / va", "np.exp(-gap) / va"),
    ),
    "dltheory/theory/ridgeless": (
        ("+ 1 - np.minimum(n, p))", "- np.minimum(n, p))"),
        ("np.abs(p - n) - 1", "np.abs(p - n)"),
    ),
    "dltheory/theory/tangent_kernel": (
        ("theta = theta * slope + sigma", "theta = theta + sigma"),
        ("- 4 * k12**2", "- k12**2"),
        ("arc_cosine.dual(k12 / size) / 2", "arc_cosine.dual(k12 / size)"),
    ),
    "dltheory/theory/saddle_escape": (
        ("dtype=float) / 2)[..., None, None]", "dtype=float))[..., None, None]"),
        ("(np.euler_gamma + math.log(2)) / 2", "np.euler_gamma / 2"),
        ("d - 1) / b", "d) / b"),
        ("np.exp(-np.asarray(t", "np.exp(np.asarray(t"),
        ("np.exp(b * at**2 / 2)", "np.exp(b * at / 2)"),
    ),
    "dltheory/theory/unconstrained_features": (
        ("1 - np.asarray(c, dtype=float)", "1 - np.asarray(c, dtype=float) ** 2"),
    ),
    "dltheory/theory/weisfeiler_lehman": (("within * (within - 1) // 2", "within * (within + 1) // 2"),),
    "dlatlas/judging/statistics": (
        ("off.max() if worst", "off.min() if worst"),
        ("chosen &= values <= high", "chosen &= values < high"),
        ("float(x @ y / (x @ x))", "float(y @ y / (x @ y))"),
        ('values.max() if end == "largest"', 'values.min() if end == "largest"'),
        ("np.exp(np.log(values.where(values > 0)).mean(over))", "values.mean(over)"),
    ),
    "dlatlas/judging/verdict": (
        ("return self.bound - estimate", "return estimate - self.bound"),
        ("high < least or low > most", "high < least and low > most"),
        ("least <= low and high <= most", "least <= low or high <= most"),
        ('if controlled != "refuted":', 'if controlled == "refuted":'),
        ("(1 + np.sum(missed", "(0 + np.sum(missed"),
        ("if p > LEVEL:", "if p > 1:"),
        ("content[np.arange(seeds)[:, None], order]", "content"),
    ),
}  # fmt: skip
"""Module -> what stands there, and what is planted instead."""


ELSEWHERE = {
    "dltheory/theory/reverse_diffusion": "dltheory/sampling/score_sampling_convergence",
    "dltheory/theory/unconstrained_features": "dltheory/representation/neural_collapse_mse_ufm",
}
"""Modules that the tests of a study test."""


def tests_of(module: str) -> Path:
    """The tests of a module: those of the instrument mirror its rooms, those of the atlas its package."""
    folder, _, name = ELSEWHERE.get(module, module).removeprefix("dlatlas/").rpartition("/")
    return Path("tests", folder, f"test_{name}.py")


def survives(copy: Path, module: str, old: str, new: str) -> bool:
    """Whether every test of the module passes in a copy of the checkout with a fault in it.

    Raises:
        SystemExit: the line is no longer there.
    """
    path = copy / "src" / f"{module}.py"
    text = path.read_text()
    if old not in text:
        sys.exit(f"workflow/mutate.py: src/{module}.py no longer has {old!r}")
    path.write_text(text.replace(old, new, 1))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", str(tests_of(module))]
    env = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, check=False)
    path.write_text(text)
    if done.returncode not in (0, 1):
        sys.exit(f"workflow/mutate.py: {tests_of(module)}: {done.stdout.decode()[-500:]}")
    return done.returncode == 0


def main() -> None:
    """Plants them all."""
    left, planted = [], 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("src", "tests", "params"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        for name in ("pyproject.toml", "data.dvc"):
            shutil.copy(ROOT / name, copy / name)
        for module, faults in FAULTS.items():
            for old, new in faults:
                planted += 1
                if survives(copy, module, old, new):
                    left.append(f"{module}: {old} -> {new}")
                    sys.stdout.write(f"survives: {left[-1]}\n")
    share = 1 - len(left) / planted
    sys.stdout.write(f"{planted - len(left)} of {planted} faults killed, {share:.0%}\n")
    sys.exit(share < GOAL)


if __name__ == "__main__":
    main()
