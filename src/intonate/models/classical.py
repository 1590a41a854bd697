"""Classical classifiers on one vector per clip: quick to fit, and a fair measure of what a network adds.

Each function gives an unfitted scikit-learn pipeline with `predict_proba`; the columns are scaled to mean 0 and
deviation 1, but not for trees, which only compare. Any front end will do: one with rows over time becomes a vector
through `front_end: pooled` (`intonate.features.pooled`).

Classes count the same however many clips they have: by `class_weight`, or by weights of the clips (XGBoost, MLP, naive
Bayes; see `intonate.training.fitting`). Nearest neighbours have neither; `data.balance` in a recipe is for them.

Calibration is one temperature on the logarithm of the probabilities (which end at 1e-6), fitted on the validation
speakers after the export as for every model. It suffices even for those that answer 0 or 1 (a tree, one neighbour,
naive Bayes): they come to say how often they are right. `svm` alone has more: Platt's sigmoids make its probabilities.

The papers whose baselines these are (HuBERT + BERT on a merged corpus, P3; a CNN-LSTM on overlapping windows, P1) print
no settings; where a default here differs from scikit-learn's, the recipe of the system says scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CLASS_WEIGHT = "balanced"
# XGBoost and LightGBM: on a busy machine, threads that wait by spinning are many times slower than one alone.
THREADS = 1


def knn(seed: int, neighbours: int = 5, weights: str = "uniform", metric: str = "euclidean") -> Any:
    """k nearest neighbours (Cover & Hart 1967) on scaled columns; it keeps every training clip. The best of P3's.

    Args:
        seed: not used, for nothing is drawn; every model takes one.
        neighbours: training clips that vote.
        weights: of the votes: `uniform`, or `distance` for 1 / distance.
        metric: `euclidean`, `manhattan` or `cosine`.
    """
    from sklearn.neighbors import KNeighborsClassifier

    return make_pipeline(StandardScaler(), KNeighborsClassifier(neighbours, weights=weights, metric=metric))


def mlp(
    seed: int,
    layers: Sequence[int] = (100,),
    penalty: float = 1e-4,
    learning_rate: float = 1e-3,
    iterations: int = 200,
) -> Any:
    """Multi-layer perceptron with ReLU, fitted by Adam on scaled columns; the defaults are scikit-learn's (P3).

    `mlp_network` is the same with dropout, early stopping on the validation speakers and a choice of optimiser.

    Args:
        seed: of the weights and the order of the clips.
        layers: units of each hidden layer.
        penalty: L2, on the weights.
        learning_rate: of Adam.
        iterations: rounds over the training part, at most; where they end before it converges, run.json says so.
    """
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(
        tuple(layers), alpha=penalty, learning_rate_init=learning_rate, max_iter=iterations, random_state=seed
    )
    return make_pipeline(StandardScaler(), network)


def xgboost(seed: int, trees: int = 100, depth: int = 6, learning_rate: float = 0.3) -> Any:
    """Gradient-boosted trees, grown level by level (XGBoost, Chen & Guestrin 2016); the defaults are its own (P3).

    Args:
        seed: not used by the defaults, which draw nothing; every model takes one.
        trees: rounds of boosting, each with a tree for every class.
        depth: deepest a tree may grow.
        learning_rate: what a tree counts.
    """
    from xgboost import XGBClassifier

    return make_pipeline(
        XGBClassifier(
            n_estimators=trees,
            max_depth=depth,
            learning_rate=learning_rate,
            # Since 3.1 the intercept is else a vector, one number per class, which older converters to ONNX ignore.
            base_score=0.5,
            n_jobs=THREADS,
            random_state=seed,
        )
    )


def lightgbm(seed: int, trees: int = 100, leaves: int = 31, learning_rate: float = 0.1, smallest_leaf: int = 20) -> Any:
    """Gradient-boosted trees, grown leaf by leaf (LightGBM, Ke et al. 2017); the defaults are its own (P3).

    Args:
        seed: not used by the defaults, which draw nothing; every model takes one.
        trees: rounds of boosting, each with a tree for every class.
        leaves: of a tree, at most.
        learning_rate: what a tree counts.
        smallest_leaf: training clips in a leaf, at least.
    """
    from lightgbm import LGBMClassifier

    return make_pipeline(
        LGBMClassifier(
            n_estimators=trees,
            num_leaves=leaves,
            learning_rate=learning_rate,
            min_child_samples=smallest_leaf,
            class_weight=CLASS_WEIGHT,
            n_jobs=THREADS,
            random_state=seed,
            verbosity=-1,
        )
    )


def logistic_regression(seed: int, C: float = 0.05, iterations: int = 2000) -> Any:  # noqa: N803
    """Multinomial logistic regression on scaled columns.

    Args:
        seed: not used by the solver; every model takes one.
        C: inverse of the strength of the L2 penalty; scikit-learn's default is 1.
        iterations: of the solver, at most.
    """
    from sklearn.linear_model import LogisticRegression

    return make_pipeline(
        StandardScaler(),
        LogisticRegression(C=C, max_iter=iterations, class_weight=CLASS_WEIGHT, random_state=seed),
    )


def random_forest(seed: int, trees: int = 300, depth: int | None = None, smallest_leaf: int = 2) -> Any:
    """Random forest (Breiman 2001).

    Args:
        seed: of the drawing of clips and columns.
        trees: how many; the file grows with them. scikit-learn's default is 100.
        depth: deepest a tree may grow; None for no limit.
        smallest_leaf: training clips in a leaf, at least; scikit-learn's default is 1.
    """
    from sklearn.ensemble import RandomForestClassifier

    return make_pipeline(
        RandomForestClassifier(
            n_estimators=trees,
            max_depth=depth,
            min_samples_leaf=smallest_leaf,
            class_weight=CLASS_WEIGHT,
            random_state=seed,
        )
    )


def naive_bayes(seed: int, smoothing: float = 1e-9) -> Any:
    """Gaussian naive Bayes on scaled columns: each column is taken to be normal and to tell nothing of the others.

    Args:
        seed: not used, for nothing is drawn; every model takes one.
        smoothing: share of the largest variance that is added to all.
    """
    from sklearn.naive_bayes import GaussianNB

    return make_pipeline(StandardScaler(), GaussianNB(var_smoothing=smoothing))


def decision_tree(seed: int, depth: int | None = None, smallest_leaf: int = 1) -> Any:
    """One decision tree (CART, Breiman et al. 1984): P1's and P3's weakest baseline. The defaults are scikit-learn's.

    Args:
        seed: of the order in which columns that split equally well are looked at.
        depth: deepest it may grow; None for no limit: every training clip is then learnt by heart.
        smallest_leaf: training clips in a leaf, at least.
    """
    from sklearn.tree import DecisionTreeClassifier

    return make_pipeline(
        DecisionTreeClassifier(
            max_depth=depth, min_samples_leaf=smallest_leaf, class_weight=CLASS_WEIGHT, random_state=seed
        )
    )


def svm(seed: int, C: float = 3.0, gamma: float | str = "scale", parts: int = 3) -> Any:  # noqa: N803
    """Support vector machine with a radial kernel on scaled columns; probabilities by Platt's sigmoids (Platt 1999).

    Args:
        seed: not used by the solver; every model takes one.
        C: cost of a training clip on the wrong side.
        gamma: of the kernel exp(-gamma |x - y|²); `scale` is 1 / (columns × variance).
        parts: the sigmoids are fitted on clips held out in turn, in this many parts.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    machine = SVC(C=C, gamma=gamma, class_weight=CLASS_WEIGHT, random_state=seed)
    return make_pipeline(StandardScaler(), CalibratedClassifierCV(machine, cv=parts, ensemble=False))
