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
        dlatlas=command,
        options=options,
        studies=",".join(PLAN.names),
    shell:
        "{params.dlatlas:q} atlas --studies {params.studies:q} {params.options:q} --stamp {output:q} 2> >(tee {log:q} >&2)"
