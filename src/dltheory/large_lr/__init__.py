"""What do large steps do?

Flow and small steps see curvature only as a rate. A step of finite size has an edge of stability, 2 over the
curvature, and meets it: from above it jumps to flatter places, from below training itself raises the curvature until
a step is just stable, the sooner the larger the step and the smaller the batch. Networks of ReLUs bear steps six
times beyond the edge.
"""
