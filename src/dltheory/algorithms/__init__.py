"""What do optimisers gain?

Signs of gradients are enough to descend, a majority of them survives liars, and both have a price in noise.
"""
