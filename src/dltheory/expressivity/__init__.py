"""What can a network say, and what does it say?

Depth can multiply the linear pieces of a ReLU network beyond counting; a network drawn at random has about as many as
it has units.
"""
