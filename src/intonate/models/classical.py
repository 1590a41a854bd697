"""scikit-learn's classifiers on one vector per clip: quick to fit, and a fair measure of what a network adds.

Each function gives an unfitted pipeline with `predict_proba`. Any front end will do: one with rows over time becomes
a vector through `front_end: pooled` (`intonate.features.pooled`).
"""

from __future__ import annotations

from typing import Any

CLASS_WEIGHT = "balanced"


def random_forest(seed: int, trees: int = 300, depth: int | None = None, smallest_leaf: int = 2) -> Any:
    """Random forest (Breiman 2001); no scaling, for a tree only compares.

    Args:
        seed: of the drawing of clips and columns.
        trees: how many; the file grows with them.
        depth: deepest a tree may grow; None for no limit.
        smallest_leaf: training clips in a leaf, at least.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        RandomForestClassifier(
            n_estimators=trees,
            max_depth=depth,
            min_samples_leaf=smallest_leaf,
            class_weight=CLASS_WEIGHT,
            random_state=seed,
        )
    )


def logistic_regression(seed: int, C: float = 0.05, iterations: int = 2000) -> Any:  # noqa: N803
    """Multinomial logistic regression on scaled columns.

    Args:
        seed: not used by the solver; every model takes one.
        C: inverse of the strength of the L2 penalty.
        iterations: of the solver, at most.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(),
        LogisticRegression(C=C, max_iter=iterations, class_weight=CLASS_WEIGHT, random_state=seed),
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
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = SVC(C=C, gamma=gamma, class_weight=CLASS_WEIGHT, random_state=seed)
    return make_pipeline(StandardScaler(), CalibratedClassifierCV(machine, cv=parts, ensemble=False))
