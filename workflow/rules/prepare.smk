rule prepare:
    """Makes the data sets and compares them with data.dvc."""
    output:
        PLAN.data_stamp,
    log:
        "logs/prepare.log",
    shell:
        "{DLATLAS} prepare {OPTIONS} 2> >(tee {log} >&2)"
