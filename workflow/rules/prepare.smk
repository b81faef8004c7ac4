rule prepare:
    """Makes the data sets and compares them with data.dvc."""
    output:
        PLAN.data_stamp,
    log:
        "logs/prepare.log",
    benchmark:
        "logs/prepare.tsv"
    params:
        dlatlas=DLATLAS,
        options=OPTIONS,
    shell:
        "{params.dlatlas} prepare {params.options} 2> >(tee {log} >&2)"
