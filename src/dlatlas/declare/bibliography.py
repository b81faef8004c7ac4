"""The papers whose claims the atlas tests, each once; a study names them by their keys."""

from collections.abc import Iterable
from dataclasses import dataclass

from dlatlas.errors import unknown


@dataclass(frozen=True)
class Paper:
    """A reference: how it is cited, and where it is."""

    key: str
    authors: str
    title: str
    venue: str
    year: int
    url: str = ""

    def cite(self) -> str:
        """``Authors, Title, Venue Year``."""
        return f"{self.authors}, {self.title}, {self.venue} {self.year}"


def arxiv(number: str) -> str:
    """The address of an arXiv paper."""
    return f"https://arxiv.org/abs/{number}"


_PAPERS = (
    Paper("arora2019", "Arora, Cohen, Hu & Luo",
          "Implicit regularization in deep matrix factorization", "NeurIPS", 2019, arxiv("1905.13655")),
    Paper("bartlett2017", "Bartlett, Foster & Telgarsky",
          "Spectrally-normalized margin bounds for neural networks", "NeurIPS", 2017, arxiv("1706.08498")),
    Paper("basri2019", "Basri, Jacobs, Kasten & Kritchman",
          "The convergence rate of neural networks for learned functions of different frequencies", "NeurIPS", 2019,
          arxiv("1906.00425")),
    Paper("belkin2019", "Belkin, Hsu, Ma & Mandal",
          "Reconciling modern machine-learning practice and the classical bias-variance trade-off", "PNAS 116", 2019,
          arxiv("1812.11118")),
    Paper("bernstein2018", "Bernstein, Wang, Azizzadenesheli & Anandkumar",
          "signSGD: compressed optimisation for non-convex problems", "ICML", 2018, arxiv("1802.04434")),
    Paper("bernstein2019", "Bernstein, Zhao, Azizzadenesheli & Anandkumar",
          "signSGD with majority vote is communication efficient and fault tolerant",
          "ICLR", 2019, arxiv("1810.05291")),
    Paper("bovier2004", "Bovier, Eckhoff, Gayrard & Klein",
          "Metastability in reversible diffusion processes I. Sharp asymptotics for capacities and exit times",
          "J. Eur. Math. Soc. 6", 2004, "https://doi.org/10.4171/JEMS/14"),
    Paper("chen2023", "Chen, Chewi, Li, Li, Salim & Zhang",
          "Sampling is as easy as learning the score: theory for diffusion models with minimal data assumptions",
          "ICLR", 2023, arxiv("2209.11215")),
    Paper("chizat2018", "Chizat & Bach",
          "On the global convergence of gradient descent for over-parameterized models using optimal transport",
          "NeurIPS", 2018, arxiv("1805.09545")),
    Paper("chizat2019", "Chizat, Oyallon & Bach",
          "On lazy training in differentiable programming", "NeurIPS", 2019, arxiv("1812.07956")),
    Paper("cho2009", "Cho & Saul", "Kernel methods for deep learning", "NeurIPS", 2009),
    Paper("chou2024", "Chou, Gieshoff, Maly & Rauhut",
          "Gradient descent for deep matrix factorization: dynamics and implicit bias towards low rank",
          "Applied and Computational Harmonic Analysis 68", 2024, arxiv("2011.13772")),
    Paper("cohen2021", "Cohen, Kaur, Li, Kolter & Talwalkar",
          "Gradient descent on neural networks typically occurs at the edge of stability",
          "ICLR", 2021, arxiv("2103.00065")),
    Paper("dascoli2020", "d'Ascoli, Sagun & Biroli",
          "Triple descent and the two kinds of overfitting: where & why do they appear?",
          "NeurIPS", 2020, arxiv("2006.03509")),
    Paper("dascoli2020b", "d'Ascoli, Refinetti, Biroli & Krzakala",
          "Double trouble in double descent: bias and variance(s) in the lazy regime",
          "ICML", 2020, arxiv("2003.01054")),
    Paper("day1995", "Day",
          "On the exit law from saddle points", "Stochastic Processes and their Applications 60", 1995),
    Paper("ge2015", "Ge, Huang, Jin & Yuan",
          "Escaping from saddle points: online stochastic gradient for tensor decomposition", "COLT", 2015,
          arxiv("1503.02101")),
    Paper("gunasekar2017", "Gunasekar, Woodworth, Bhojanapalli, Neyshabur & Srebro",
          "Implicit regularization in matrix factorization", "NeurIPS", 2017, arxiv("1705.09280")),
    Paper("gunasekar2018", "Gunasekar, Lee, Soudry & Srebro",
          "Characterizing implicit bias in terms of optimization geometry", "ICML", 2018, arxiv("1802.08246")),
    Paper("hanin2019", "Hanin & Rolnick",
          "Complexity of linear regions in deep networks", "ICML", 2019, arxiv("1901.09021")),
    Paper("hanin2019b", "Hanin & Rolnick",
          "Deep ReLU networks have surprisingly few activation patterns", "NeurIPS", 2019, arxiv("1906.00904")),
    Paper("hastie2022", "Hastie, Montanari, Rosset & Tibshirani",
          "Surprises in high-dimensional ridgeless least squares interpolation", "Annals of Statistics 50", 2022,
          arxiv("1903.08560")),
    Paper("holzmuller2021", "Holzmüller",
          "On the universality of the double descent peak in ridgeless regression", "ICLR", 2021, arxiv("2010.01851")),
    Paper("hu2019", "Hu, Li, Li & Liu",
          "On the diffusion approximation of nonconvex stochastic gradient descent",
          "Annals of Mathematical Sciences and Applications 4", 2019, arxiv("1705.07562")),
    Paper("jacot2018", "Jacot, Gabriel & Hongler",
          "Neural tangent kernel: convergence and generalization in neural networks",
          "NeurIPS", 2018, arxiv("1806.07572")),
    Paper("jacot2020", "Jacot, Şimşek, Spadaro, Hongler & Gabriel",
          "Implicit regularization of random feature models", "ICML", 2020, arxiv("2002.08404")),
    Paper("jastrzebski2020", "Jastrzebski, Szymczak, Fort, Arpit, Tabor, Cho & Geras",
          "The break-even point on optimization trajectories of deep neural networks", "ICLR", 2020,
          arxiv("2002.09572")),
    Paper("ji2021", "Ji & Telgarsky",
          "Characterizing the implicit bias via a primal-dual analysis", "ALT", 2021, arxiv("1906.04540")),
    Paper("ji2021b", "Ji, Srebro & Telgarsky",
          "Fast margin maximization via dual acceleration", "ICML", 2021, arxiv("2107.00595")),
    Paper("jiang2020", "Jiang, Neyshabur, Mobahi, Krishnan & Bengio",
          "Fantastic generalization measures and where to find them", "ICLR", 2020, arxiv("1912.02178")),
    Paper("kifer1981", "Kifer",
          "The exit problem for small random perturbations of dynamical systems with a hyperbolic fixed point",
          "Israel Journal of Mathematics 40", 1981),
    Paper("kipf2017", "Kipf & Welling",
          "Semi-supervised classification with graph convolutional networks", "ICLR", 2017, arxiv("1609.02907")),
    Paper("kramers1940", "Kramers",
          "Brownian motion in a field of force and the diffusion model of chemical reactions",
          "Physica 7", 1940, "https://doi.org/10.1016/S0031-8914(40)90098-2"),
    Paper("kwon2022", "Kwon, Fan & Lee",
          "Score-based generative modeling secretly minimizes the Wasserstein distance", "NeurIPS", 2022,
          arxiv("2212.06359")),
    Paper("lee2019", "Lee, Xiao, Schoenholz, Bahri, Novak, Sohl-Dickstein & Pennington",
          "Wide neural networks of any depth evolve as linear models under gradient descent",
          "NeurIPS", 2019, arxiv("1902.06720")),
    Paper("lee2022", "Lee, Lu & Tan",
          "Convergence for score-based generative modeling with polynomial complexity", "NeurIPS", 2022,
          arxiv("2206.06227")),
    Paper("lewkowycz2020", "Lewkowycz, Bahri, Dyer, Sohl-Dickstein & Gur-Ari",
          "The large learning rate phase of deep learning: the catapult mechanism", "arXiv", 2020, arxiv("2003.02218")),
    Paper("liu2020", "Liu, Zhu & Belkin",
          "On the linearity of large non-linear models: when and why the tangent kernel is constant", "NeurIPS", 2020,
          arxiv("2010.01092")),
    Paper("mei2018", "Mei, Montanari & Nguyen",
          "A mean field view of the landscape of two-layer neural networks", "PNAS", 2018, arxiv("1804.06561")),
    Paper("morris2019", "Morris, Ritzert, Fey, Hamilton, Lenssen, Rattan & Grohe",
          "Weisfeiler and Leman go neural: higher-order graph neural networks", "AAAI", 2019, arxiv("1810.02244")),
    Paper("murphy2019", "Murphy, Srinivasan, Rao & Ribeiro",
          "Relational pooling for graph representations", "ICML", 2019, arxiv("1903.02541")),
    Paper("nacson2019", "Nacson, Lee, Gunasekar, Savarese, Srebro & Soudry",
          "Convergence of gradient descent on separable data", "AISTATS", 2019, arxiv("1803.01905")),
    Paper("neal2018", "Neal, Mittal, Baratin, Tantia, Scicluna, Lacoste-Julien & Mitliagkas",
          "A modern take on the bias-variance tradeoff in neural networks", "arXiv", 2018, arxiv("1810.08591")),
    Paper("papyan2020", "Papyan, Han & Donoho",
          "Prevalence of neural collapse during the terminal phase of deep learning training", "PNAS", 2020,
          arxiv("2008.08186")),
    Paper("parter1961", "Parter",
          "On the extreme eigenvalues of truncated Toeplitz matrices", "Bull. Amer. Math. Soc. 67", 1961),
    Paper("raginsky2017", "Raginsky, Rakhlin & Telgarsky",
          "Non-convex learning via stochastic gradient Langevin dynamics: a nonasymptotic analysis",
          "COLT", 2017, arxiv("1702.03849")),
    Paper("rahaman2019", "Rahaman, Baratin, Arpit, Draxler, Lin, Hamprecht, Bengio & Courville",
          "On the spectral bias of neural networks", "ICML", 2019, arxiv("1806.08734")),
    Paper("rotskoff2018", "Rotskoff & Vanden-Eijnden",
          "Trainability and accuracy of neural networks: an interacting particle system approach", "arXiv", 2018,
          arxiv("1805.00915")),
    Paper("sedghi2019", "Sedghi, Gupta & Long",
          "The singular values of convolutional layers", "ICLR", 2019, arxiv("1805.10408")),
    Paper("simon2024", "Simon, Karkada, Ghosh & Belkin",
          "More is better in modern machine learning", "ICLR", 2024, arxiv("2311.14646")),
    Paper("sirignano2020", "Sirignano & Spiliopoulos",
          "Mean field analysis of neural networks: a law of large numbers", "SIAM J. Appl. Math. 80", 2020,
          arxiv("1805.01053")),
    Paper("soudry2018", "Soudry, Hoffer, Nacson, Gunasekar & Srebro",
          "The implicit bias of gradient descent on separable data", "JMLR 19", 2018, arxiv("1710.10345")),
    Paper("sun2023", "Sun, Gatmiry, Ahn & Azizan",
          "A unified approach to controlling implicit regularization via mirror descent", "JMLR 24", 2023,
          arxiv("2306.13853")),
    Paper("telgarsky2013", "Telgarsky", "Margins, shrinkage, and boosting", "ICML", 2013, arxiv("1303.4172")),
    Paper("telgarsky2015", "Telgarsky",
          "Representation benefits of deep feedforward networks", "arXiv", 2015, arxiv("1509.08101")),
    Paper("tirer2022", "Tirer & Bruna",
          "Extended unconstrained features model for exploring deep neural collapse", "ICML", 2022,
          arxiv("2202.08087")),
    Paper("tsuzuku2018", "Tsuzuku, Sato & Sugiyama", "Lipschitz-margin training", "NeurIPS", 2018, arxiv("1802.04034")),
    Paper("wang2022", "Wang, Chatterji, Haque & Hashimoto",
          "Is importance weighting incompatible with interpolating classifiers?", "ICLR", 2022, arxiv("2112.12986")),
    Paper("wu2023", "Wu, Braverman & Lee",
          "Implicit bias of gradient descent for logistic regression at the edge of stability",
          "NeurIPS", 2023, arxiv("2305.11788")),
    Paper("xu2019", "Xu, Hu, Leskovec & Jegelka",
          "How powerful are graph neural networks?", "ICLR", 2019, arxiv("1810.00826")),
    Paper("xu2019b", "Xu, Zhang, Luo, Xiao & Ma",
          "Frequency principle: Fourier analysis sheds light on deep neural networks", "arXiv", 2019,
          arxiv("1901.06523")),
    Paper("yang2020", "Yang, Yu, You, Steinhardt & Ma",
          "Rethinking bias-variance trade-off for generalization of neural networks", "ICML", 2020,
          arxiv("2002.11328")),
    Paper("zhang2017", "Zhang, Bengio, Hardt, Recht & Vinyals",
          "Understanding deep learning requires rethinking generalization", "ICLR", 2017, arxiv("1611.03530")),
    Paper("zhu2021", "Zhu, Ding, Zhou, Li, You, Sulam & Qu",
          "A geometric analysis of neural collapse with unconstrained features", "NeurIPS", 2021, arxiv("2105.02375")),
)  # fmt: skip

PAPERS = {paper.key: paper for paper in _PAPERS}


def cited(keys: Iterable[str], where: str) -> tuple[Paper, ...]:
    """The papers of those keys.

    Raises:
        InputError: a key that no paper has; the nearest one is named.
    """
    for key in keys:
        if key not in PAPERS:
            raise unknown(where, "paper", key, PAPERS)
    return tuple(PAPERS[key] for key in keys)
