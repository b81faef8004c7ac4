"""The front door: `snakemake --cores all` makes results/atlas/index.html and everything on the way to it.

Settings: `--config scale=smoke studies=catapult_phase,triple_descent`. Every file is named by a digest of what it
depends on, so existence means up to date: inputs are `ancient()` and no modification time is ever asked.
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Snakemake puts the checkout first, where a scratch file code.py is not Python's own.
sys.path.sort(key=workflow.basedir.__eq__)

try:
    from dlatlas.identity.imported import watch

    watch()  # before what is to be watched is imported

    from dlatlas.errors import AtlasError
    from dlatlas.planning.cluster import Requests
    from dlatlas.planning.paths import home, quote_jobs
    from dlatlas.planning.plan import Plan, Settings
except ImportError as error:
    raise WorkflowError(
        f"{error}; this checkout is {workflow.basedir}: activate its own environment"
    ) from None


ROOT = Path(workflow.basedir).resolve()


workdir: home(ROOT)


try:
    TYPED = workflow.config_settings.config_args or []
    SETTINGS = Settings.read(config, ROOT, TYPED, Path(workflow.workdir_init))
    PLAN = Plan(SETTINGS.plain())
    TARGETS = PLAN.targets()
    REQUESTS = Requests(PLAN)
    if workflow.is_main_process:
        PLAN.guard()
        PLAN.keep()
        PLAN.forget_lost()
except AtlasError as error:
    raise WorkflowError(str(error)) from None

quote_jobs()
RESULTS = PLAN.settings.results

# Words of a job's command. Functions, or Snakemake would look for wildcards in the names of folders.
command = lambda wildcards: [sys.executable, "-P", "-m", "dlatlas", "job"]
options = lambda wildcards: SETTINGS.options()


wildcard_constraints:
    study=r"\w+",
    digest=r"[0-9a-f]{20}",


localrules:
    all,
    prepare,
    figure,
    atlas,


rule all:
    input:
        ancient(TARGETS),


include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/cube.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/atlas.smk"
