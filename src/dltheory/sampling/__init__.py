"""How do random walks find their way?

Noise lets a process leave a valley in a time that is exponential in its depth, and a saddle in one that is
logarithmic in its temperature; run backwards, noise turns into a sampler whose error is that of its score, its steps
and its start.
"""
