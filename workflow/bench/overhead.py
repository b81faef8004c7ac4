"""Where the time of the laptop atlas goes: everything from nothing, in a folder of its own (minutes).

Working is what the manifests of shards and measures say that they worked, Lightning's import left out. The rest is
overhead: imports, planning, Snakemake, cubes, verdicts, figures, pages, and a core that waits at the end.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from ours import ROOT
from timing import seconds


def measure(home: Path) -> dict[str, float]:
    """Core-seconds by where they went, after ``snakemake --cores all`` in ``home``."""
    cores = os.cpu_count() or 1
    words = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(home), "--cores", str(cores), "--quiet", "all"]
    wall = seconds(lambda: subprocess.run([sys.executable, "-m", "snakemake", *words], check=True, capture_output=True))
    found: dict[str, float] = defaultdict(float)
    for kind in ("shards", "measures"):
        manifests = home.glob(f"results/*/{kind}/*.json")
        found[f"working: {kind}"] = sum(json.loads(path.read_text())["seconds"] for path in manifests)
    for path in home.glob("logs/**/*.tsv"):
        with path.open() as file:
            found[path.stem.partition("-")[0]] += float(next(csv.DictReader(file, delimiter="\t"))["s"])
    starts = found.pop("train") + found.pop("measure") - found["working: shards"] - found["working: measures"]
    found["starting train and measure jobs"] = starts
    found["Snakemake, planning and idle cores"] = cores * wall - sum(found.values())
    return {**found, "all": cores * wall}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder))
    for name, value in sorted(found.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"{value:8.1f} core-s  {value / found['all']:6.1%}  {name}\n")
