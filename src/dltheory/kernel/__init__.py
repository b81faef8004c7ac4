"""When is a network a kernel?

Let the width grow and scale the output by its inverse root: the tangent kernel is then fixed at its start, the
network follows its linearisation, and all of training is linear algebra. One exponent of the output scale is what it
takes to leave that regime, and with it the advantage of learnt features comes and goes.
"""
