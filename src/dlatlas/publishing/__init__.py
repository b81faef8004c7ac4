"""What was published, and where: the ledger, DVC remotes, archives, and the way back from a file."""
