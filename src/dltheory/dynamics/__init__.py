"""What is learnt first?

In the eigenbasis of the kernel every error decays at its own rate. On a circle the rates belong to frequencies, so
slow waves are learnt before fast ones, however large the fast ones are.
"""
