rule atlas:
    """Builds the page over all studies."""
    input:
        ancient([PLAN.stamp(study, "figure") for study in PLAN.names]),
    output:
        TARGET,
    params:
        studies=",".join(PLAN.names),
    log:
        "logs/atlas.log",
    shell:
        "{DLATLAS} atlas --studies {params.studies} {OPTIONS} 2> >(tee {log} >&2)"
