rule measure:
    """Measures the trained networks of one shard."""
    input:
        lambda wildcards: ancient(
            PLAN.shard_manifest(
                wildcards.study, PLAN.shard_of(wildcards.study, wildcards.digest)
            )
        ),
    output:
        update(f"{RESULTS}/{{study}}/measures/{{digest}}.json"),
        update(f"{RESULTS}/{{study}}/measures/{{digest}}.safetensors"),
    log:
        "logs/{study}/measure-{digest}.log",
    benchmark:
        "logs/{study}/measure-{digest}.tsv"
    threads: 1
    resources:
        **REQUESTS.of("measure"),
    params:
        dlatlas=command,
        options=options,
    shell:
        "{params.dlatlas:q} measure {wildcards.study} {wildcards.digest} {params.options:q} 2> >(tee {log:q} >&2)"
