rule prepare:
    """Makes the data sets and compares them with data.dvc."""
    output:
        PLAN.data_stamp,
    log:
        "logs/prepare.log",
    benchmark:
        "logs/prepare.tsv"
    params:
        dlatlas=command,
        options=options,
    shell:
        "{params.dlatlas:q} prepare {params.options:q} 2> >(tee {log:q} >&2)"
