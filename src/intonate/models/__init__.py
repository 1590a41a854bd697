"""The models that can be trained, by name.

Most are torch modules: `Module(classes, columns, **params)`, where `columns` says how wide each input is, and
`forward(**inputs)` takes each input by its name in the recipe (and `<name>_lengths`, where the module wants it) and
returns logits (batch, classes). A class may say `BATCHING = "equal_length"` where padding would change its answer and
`EXPORTER = "dynamo"` where the older ONNX exporter fails. The others, in `classical`, are scikit-learn estimators.

Adding one is one file and one line of `CATALOGUE`; `tests/contracts/test_models.py` then holds it to the contract.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from intonate.errors import RecipeError, did_you_mean

CATALOGUE: dict[str, str] = {
    "compact": "intonate.models.compact:Compact",
    "hubert_bert": "intonate.models.fusion:SpeechTextFusion",
    "random_forest": "intonate.models.classical:random_forest",
    "logistic_regression": "intonate.models.classical:logistic_regression",
    "svm": "intonate.models.classical:svm",
}


def get(name: str) -> Any:
    """The class (torch) or function (scikit-learn) that builds a model.

    Raises:
        RecipeError: there is none of that name.
    """
    if name not in CATALOGUE:
        raise RecipeError(f"model {name!r} is not known; {did_you_mean(name, CATALOGUE)}")
    module, attribute = CATALOGUE[name].split(":")
    return getattr(import_module(module), attribute)
