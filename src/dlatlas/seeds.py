"""The documents that the atlas was sown from: talks, notes and slides, and where each speaks of a study's subject."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """Something to be read that named the subjects of studies.

    Attributes:
        title: author and title, or what it is.
        passages: catalogue row -> what it says there, in a few words.
    """

    title: str
    passages: Mapping[str, str]


DOCUMENTS = (
    Document(
        "Abstracts of 22 talks on the theory of deep learning, Anandkumar to Zhou",
        {
            "conv-layer-singular-values-fft": "Sedghi: the singular values of convolutional layers",
            "mean-field-sgd-pde": "Montanari: a mean field view of two-layer networks",
            "signsgd-majority-vote-byzantine": "Anandkumar: robust when up to half of the workers are adversarial",
            "steepest-descent-max-margin": "Lee: steepest descent in a norm solves its support vector machine",
        },
    ),
    Document(
        "Vodrahalli: notes of a workshop on deep learning theory and non-convex optimization, MIT, 2019",
        {
            "gnn-wl-bound": "Jegelka: what message passing can tell apart",
            "langevin-escape-kramers": "Raginsky: add a bit of noise",
            "lazy-vs-mean-field-scaling": "Montanari: the kernel regime",
            "logistic-max-margin": "Telgarsky: gradient descent on the logistic loss",
            "mean-field-lln": "Montanari: a law of large numbers",
            "normalised-gd-margin": "Gunasekar: adaptive steps are faster",
            "random-label-fitting": "Telgarsky: Recht's talk about rethinking generalization",
            "spectral-margin-distribution": "Telgarsky: margins of random labels are closer to zero",
            "steepest-descent-margin": "Gunasekar: steepest descent in general norms",
        },
    ),
    Document(
        "Abstracts of a seminar's talks on mathematics and machine learning",
        {
            "break-even-point": "Jastrzębski: the early phase of training",
            "catapult-deep-performance": "Lewkowycz and others: what large steps do for performance",
            "catapult-phase": "Lewkowycz and others: a lazy and a catapult regime",
            "deep-matrix-factorization-rank": "Cohen: bias towards low rank",
            "deep-matrix-singular-dynamics": "the ability of deep networks to generalise",
            "deep-mf-low-rank-plateaus": "bias of gradient descent in overparametrized linear networks",
            "double-descent-universal-lower-bound": "double descent despite practical success",
            "frequency-principle": "a network learns low frequencies first",
            "linear-regions-count": "Hanin and Rolnick: linear regions grow polynomially",
            "logistic-gd-max-margin": "networks and the bias of gradient descent",
            "margin-maximization-rates": "Telgarsky: the fastest hard-margin method from implicit bias",
            "mirror-descent-max-margin": "mirror descent and its margins",
            "neural-collapse-mse-ufm": "free features under the squared loss",
            "ntk-width-limit": "Jacot: the tangent kernel's limit",
            "rf-noise-init-sampling-variance": "d'Ascoli: bias and several variances of double descent",
            "score-matching-bounds-wasserstein": "score-based models as Wasserstein distances",
            "score-sampling-convergence": "rigorous convergence of sampling",
            "spectral-bias-frequency-order": "Rahaman: spectral bias",
            "steepest-descent-norm-margin": "Gunasekar: linear predictors",
            "transition-to-linearity": "wide networks become linear",
            "triple-descent": "d'Ascoli: double and triple descent",
            "ufm-within-between-dynamics": "dynamics within and between classes",
        },
    ),
    Document(
        "Yao: On Mathematical Theories of Deep Learning, slides, HKUST",
        {
            "bias-variance-versus-width": "is there a tradeoff of bias and variance?",
            "langevin-barrier-escape-arrhenius": "injected noise helps to escape saddles and local minima",
            "random-label-memorization": "Zhang and others: rethinking generalization",
            "spectral-margin-bound-training": "Bartlett and others: margins and Lipschitz constants",
        },
    ),
    Document(
        "Ghoshdastidar & Esser: Theoretical Advances in Deep Learning, a seminar's list of papers, TUM, 2020",
        {"ntk-constancy-with-width": "Jacot, Gabriel & Hongler: the neural tangent kernel"},
    ),
)
