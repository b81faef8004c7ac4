"""Any commit's figures again, and what differs from those that are known."""
