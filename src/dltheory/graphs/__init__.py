"""What can message passing tell apart?

No more than colour refinement can: an upper bound that sums reach and means do not.
"""
