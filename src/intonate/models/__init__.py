"""The models that can be trained, by name.

Most are networks of torch, the others, in `classical`, scikit-learn pipelines. What is asked of either is written down
in `contract.py`.

Adding one is one file and one line of `CATALOGUE`; `tests/contracts/test_models.py` then holds it to the contract.
"""

from __future__ import annotations

from typing import Any

from intonate.catalogue import load
from intonate.errors import RecipeError

CATALOGUE: dict[str, str] = {
    "compact": "intonate.models.compact:Compact",
    "cnn1d": "intonate.models.cnn1d:CNN1D",
    "cnn": "intonate.models.convolutional:CNN",
    "cnn_lstm": "intonate.models.cnn_lstm:CNNLSTM",
    "recurrent": "intonate.models.recurrent:Recurrent",
    "transformer": "intonate.models.transformer:Transformer",
    "resnet34": "intonate.models.resnet:ResNet34",
    "vggish_mlp": "intonate.models.audioset:VGGishMLP",
    "yamnet_mlp": "intonate.models.audioset:YAMNetMLP",
    "imagenet": "intonate.models.imagenet:ImageNetNetwork",
    "text_cnn": "intonate.models.text_cnn:TextCNN",
    "resnet_roberta": "intonate.models.resnet_roberta:ResNetRoBERTa",
    "speech_encoder": "intonate.models.speech:SpeechEncoder",
    "hubert_bert": "intonate.models.fusion:SpeechTextFusion",
    "head": "intonate.models.head:Head",
    "mlp_network": "intonate.models.mlp:MLP",
    "knn": "intonate.models.classical:knn",
    "mlp": "intonate.models.classical:mlp",
    "xgboost": "intonate.models.classical:xgboost",
    "lightgbm": "intonate.models.classical:lightgbm",
    "logistic_regression": "intonate.models.classical:logistic_regression",
    "random_forest": "intonate.models.classical:random_forest",
    "naive_bayes": "intonate.models.classical:naive_bayes",
    "decision_tree": "intonate.models.classical:decision_tree",
    "svm": "intonate.models.classical:svm",
}


def get(name: str) -> Any:
    """The class (torch) or function (scikit-learn) that builds a model.

    Raises:
        RecipeError: there is none of that name.
    """
    return load(name, CATALOGUE, "model", RecipeError)
