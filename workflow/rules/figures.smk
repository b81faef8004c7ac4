rule verdict:
    """Judges one study's claims."""
    input:
        lambda wildcards: ancient(PLAN.stamp(wildcards.study, "cube")),
    output:
        f"{RESULTS}/{{study}}/stamps/verdict-{{digest}}.json",
    log:
        "logs/{study}/verdict-{digest}.log",
    benchmark:
        "logs/{study}/verdict-{digest}.tsv"
    resources:
        **REQUESTS.of("verdict"),
    params:
        dlatlas=command,
        options=options,
    shell:
        "{params.dlatlas:q} verdict {wildcards.study} {params.options:q} 2> >(tee {log:q} >&2)"


rule figure:
    """Draws theory over measurement for one study."""
    input:
        lambda wildcards: ancient(PLAN.stamp(wildcards.study, "verdict")),
    output:
        f"{RESULTS}/{{study}}/stamps/figure-{{digest}}.json",
    log:
        "logs/{study}/figure-{digest}.log",
    benchmark:
        "logs/{study}/figure-{digest}.tsv"
    params:
        dlatlas=command,
        options=options,
    shell:
        "{params.dlatlas:q} figure {wildcards.study} {params.options:q} 2> >(tee {log:q} >&2)"
