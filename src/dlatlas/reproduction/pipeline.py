"""A checkout's own Snakefile, run through its own environment, its words passed on as they come."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FAULT = re.compile(r"(?:error: |^(?=[\w.]*(?:Error|Exception): ))(.+)")
"""What an AtlasError or the last line of a traceback looks like."""
TEXT = re.compile(r"^(?!At least one job)\s*(.+)")
"""What Snakemake says under WorkflowError, if it says anything."""
PATIENCE = 30.0
"""Seconds that an interrupted Snakemake has to stop its jobs."""


def run_pipeline(
    python: Path,
    variables: dict[str, str],
    tree: Path,
    names: list[str],
    scale: str,
    cores: str,
    log: Path,
    tell: Callable[[str], None],
    folders: Mapping[str, Path] | None = None,
) -> dict[str, str]:
    """Runs ``snakemake`` in a checkout and returns what went wrong: study -> error, ``""`` for what names no study.

    Args:
        python: the environment's interpreter.
        variables: its environment variables.
        tree: the checkout.
        names: the studies.
        scale: smoke, laptop or cluster.
        cores: as Snakemake's option.
        log: gets every line.
        tell: gets each step done, what the studies' jobs print, and errors.
        folders: params, data or results elsewhere than in the checkout.
    """
    config = [f"scale={scale}", f"studies={','.join(names)}"]
    config += [f"{name}={folder}" for name, folder in (folders or {}).items()]
    words = [str(python), "-u", "-P", "-m", "snakemake", "--cores", cores, "--config", *config]
    log.parent.mkdir(parents=True, exist_ok=True)
    passed = re.compile(rf"\d+ of \d+ steps|error: |WorkflowError|({'|'.join(names)}): ")
    errors: dict[str, str] = {}
    line, above = "", ""
    with log.open("w", encoding="utf-8") as record, _started(words, tree, variables) as process:
        try:
            for line in process.stdout or ():
                record.write(line)
                line = line.rstrip()
                if passed.match(line):
                    tell(line)
                if found := FAULT.search(line) or (above.startswith("WorkflowError") and TEXT.search(line)):
                    said = found[1]
                    for name in [name for name in names if name in said] or [""]:
                        errors.setdefault(name, said)
                above = line
        except BaseException:
            _stop(process)
            raise
    if process.returncode and not errors:
        errors[""] = f"snakemake failed ({process.returncode}); all that it said is in {log}"
    return errors


def _started(words: list[str], tree: Path, variables: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        words,
        cwd=tree,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _stop(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def said_by_code(python: Path, variables: dict[str, str], tree: Path, name: str, scale: str) -> dict[str, Any]:
    """What a checkout's own code says that a study depends on: ``code``, ``params``, ``data``, as in the ledger.

    Empty where it cannot say.
    """
    code = (
        "import json\n"
        "from pathlib import Path\n"
        "from dlatlas.publishing.ledger import data_digest, params_digest\n"
        "try:\n"
        "    from dlatlas.planning.plan import Plan, Settings\n"
        "except ImportError:  # commits before December 2026\n"
        "    from dlatlas.plan import Plan, Settings\n"
        f"plan = Plan(Settings.read({{'scale': {scale!r}, 'studies': {name!r}}}, Path().resolve()))\n"
        f"said = {{'code': plan.codes({name!r}), 'params': params_digest(plan, {name!r})}}\n"
        f"print(json.dumps(said | {{'data': data_digest(plan, {name!r})}}))\n"
    )
    done = subprocess.run(
        [python, "-P", "-c", code],
        cwd=tree,
        env=variables,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 and done.stdout else {}
