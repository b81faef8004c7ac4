"""The front door: `snakemake --cores all` makes results/atlas/index.html and everything on the way to it.

Settings: `--config scale=smoke studies=catapult_phase,triple_descent`. Every file is named by a digest of what it
depends on, so existence means up to date: inputs are `ancient()` and no modification time is ever asked.
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from dlatlas.identity.imported import watch

watch()

from dlatlas.errors import AtlasError
from dlatlas.planning.cluster import Requests
from dlatlas.planning.plan import Plan, Settings

DLATLAS = f"{sys.executable} -m dlatlas job"

try:
    PLAN = Plan(Settings.read(config, Path(workflow.basedir)))
    TARGETS = PLAN.targets()
    REQUESTS = Requests(PLAN)
    if workflow.is_main_process:
        PLAN.keep()
        PLAN.forget_lost()
except AtlasError as error:
    raise WorkflowError(str(error)) from None

RESULTS, OPTIONS = PLAN.settings.results, PLAN.settings.options()


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
