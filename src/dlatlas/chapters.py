"""The families of studies as chapters: what question each answers, and how its studies hang together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """A family, in the order of the contents.

    Attributes:
        family: as `Study.family` says it.
        title: the question.
        story: what the studies say to each other, in a paragraph.
    """

    family: str
    title: str
    story: str


CHAPTERS = (
    Chapter(
        "kernel",
        "When is a network a kernel?",
        "Let the width grow and scale the output by its inverse root: the tangent kernel is then fixed at its "
        "start, the network follows its linearisation, and all of training is linear algebra. One exponent of the"
        " output scale is what it takes to leave that regime, and with it the advantage of learnt features comes "
        "and goes.",
    ),
    Chapter(
        "mean-field",
        "When is a network a density?",
        "Divide by the width instead of its root and the units become particles: each moves in the field of all, "
        "and the limit is a partial differential equation for their density. Here features move at every width, "
        "and what is random about a finite network is a fluctuation around one path.",
    ),
    Chapter(
        "dynamics",
        "What is learnt first?",
        "In the eigenbasis of the kernel every error decays at its own rate. On a circle the rates belong to "
        "frequencies, so slow waves are learnt before fast ones, however large the fast ones are.",
    ),
    Chapter(
        "large-lr",
        "What do large steps do?",
        "Flow and small steps see curvature only as a rate. A step of finite size has an edge of stability, 2 "
        "over the curvature, and meets it: from above it jumps to flatter places, from below training itself "
        "raises the curvature until a step is just stable, the sooner the larger the step and the smaller the "
        "batch. Networks of ReLUs bear steps six times beyond the edge.",
    ),
    Chapter(
        "implicit-bias",
        "Which of all solutions does descent find?",
        "Where many solutions fit, the method chooses. On separable data it is the largest margin, in the norm in"
        " which steps are measured and at a speed that the scaling of steps decides; in products of matrices it "
        "is low rank, the more so the deeper the product.",
    ),
    Chapter(
        "overparametrization",
        "What happens when parameters outnumber data?",
        "The risk of least squares peaks where parameters and examples are equal in number, whatever the "
        "features, and falls again beyond. Noise in the labels and noise of the features peak in two different "
        "places. Taken apart, the peak is variance by noise and by initialisation; bias and the sampling of data stay "
        "finite, and averaged predictors have no peak. In trained networks variance peaks as well, earlier than the "
        "count has it; beyond, it is the part over initialisations that falls.",
    ),
    Chapter(
        "generalization",
        "What does fitting tell about knowing?",
        "Networks fit random labels as they fit true ones, so the training error says nothing. Margins, measured "
        "in the network's own scale, tell the two apart where norms alone do not.",
    ),
    Chapter(
        "representation",
        "What do layers look like?",
        "At the end of training the features of classes collapse to the corners of a simplex, as a model without "
        "inputs predicts; a convolution's singular values are read off its kernel, up to its border.",
    ),
    Chapter(
        "expressivity",
        "What can a network say, and what does it say?",
        "Depth can multiply the linear pieces of a ReLU network beyond counting; a network drawn at random has "
        "about as many as it has units.",
    ),
    Chapter(
        "graphs",
        "What can message passing tell apart?",
        "No more than colour refinement can: an upper bound that sums reach and means do not.",
    ),
    Chapter(
        "sampling",
        "How do random walks find their way?",
        "Noise lets a process leave a valley in a time that is exponential in its depth, and a saddle in one that "
        "is logarithmic in its temperature; run backwards, noise turns into a sampler whose error is that of its "
        "score, its steps and its start.",
    ),
    Chapter(
        "algorithms",
        "What do optimisers gain?",
        "Signs of gradients are enough to descend, a majority of them survives liars, and both have a price in noise.",
    ),
)

FAMILIES = tuple(chapter.family for chapter in CHAPTERS)
