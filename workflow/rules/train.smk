rule train:
    """Trains, solves or samples the runs of one shard."""
    input:
        lambda wildcards: (
            ancient(PLAN.data_stamp) if PLAN.needs_data(wildcards.study) else []
        ),
    output:
        update(f"{RESULTS}/{{study}}/shards/{{digest}}.json"),
        update(f"{RESULTS}/{{study}}/shards/{{digest}}.safetensors"),
    log:
        "logs/{study}/train-{digest}.log",
    benchmark:
        "logs/{study}/train-{digest}.tsv"
    threads: 1
    resources:
        **REQUESTS.of("train"),
    params:
        dlatlas=command,
        options=options,
    shell:
        "{params.dlatlas:q} train {wildcards.study} {wildcards.digest} {params.options:q} 2> >(tee {log:q} >&2)"
