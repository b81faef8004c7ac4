rule cube:
    """Assembles one study's cube."""
    input:
        lambda wildcards: ancient(PLAN.cube_inputs(wildcards.study)),
    output:
        f"{RESULTS}/{{study}}/stamps/cube-{{digest}}.json",
    log:
        "logs/{study}/cube-{digest}.log",
    benchmark:
        "logs/{study}/cube-{digest}.tsv"
    resources:
        **REQUESTS.of("cube"),
    params:
        dlatlas=command,
        options=options,
    shell:
        "{params.dlatlas:q} cube {wildcards.study} {params.options:q} 2> >(tee {log:q} >&2)"
