"""When is a network a density?

Divide by the width instead of its root and the units become particles: each moves in the field of all, and the limit
is a partial differential equation for their density. Here features move at every width, and what is random about a
finite network is a fluctuation around one path.
"""
