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
        dlatlas=DLATLAS,
        options=OPTIONS,
    shell:
        "{params.dlatlas} cube {wildcards.study} {params.options} 2> >(tee {log} >&2)"
