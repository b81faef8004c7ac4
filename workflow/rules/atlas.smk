rule atlas:
    """Builds the page over all studies."""
    input:
        ancient([PLAN.stamp(study, "figure") for study in PLAN.names]),
    output:
        PLAN.atlas_stamp,
    log:
        "logs/atlas.log",
    benchmark:
        "logs/atlas.tsv"
    params:
        dlatlas=DLATLAS,
        options=OPTIONS,
        studies=",".join(PLAN.names),
    shell:
        "{params.dlatlas} atlas --studies {params.studies} {params.options} 2> >(tee {log} >&2)"
