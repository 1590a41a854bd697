"""emotion2vec by FunASR (plus_seed, plus_base, plus_large, base_finetuned): `model.pt`, `config.yaml`, `tokens.txt`.

The labels are lines such as `生气/angry`; `<unk>` is what its card calls unknown, and lines that begin with `unuse` are
outputs that are not to be looked at. What the package funasr answers to a whole recording is what this answers.
"""

from __future__ import annotations

from typing import Any

from intonate.converters.checkpoint import Checkpoint, Description, labels_of
from intonate.converters.emotion2vec_config import CONFIG, sizes_of
from intonate.errors import ModelError
from intonate.schema import ModelInput, ModelSpec, Pool

WEIGHTS, LABELS = "model.pt", "tokens.txt"
MODEL = "Emotion2vec"
UNUSED, UNKNOWN = "unuse", "<unk>"
# A recording up to this long is answered whole, s: attention over 20 ms frames takes memory with the square of it.
LONGEST_S = 30.0


def recognises(checkpoint: Checkpoint) -> bool:
    return (checkpoint.yaml(CONFIG) or {}).get("model") == MODEL


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: a file is missing, or the checkpoint has no head.
    """
    checkpoint.require(CONFIG)
    if not checkpoint.has(LABELS):
        raise ModelError(
            f"{checkpoint.name} is emotion2vec without labels ({LABELS}): it describes speech and names no emotion; "
            "give one with a head, such as emotion2vec_plus_base"
        )
    checkpoint.require(WEIGHTS)
    labels = labels_by_output(checkpoint)
    sizes_of(checkpoint, len(labels))
    spec = checkpoint.spec(
        labels=sorted(labels.values()),
        inputs=(ModelInput("waveform", "waveform", {"scale": False}),),
        pool=Pool(longest_s=LONGEST_S),
    )
    own_labels = checkpoint.text(LABELS).splitlines()
    return Description(spec, MODEL, {own_labels[output]: label for output, label in labels.items()})


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """(batch, samples) -> (batch, labels), a torch module with the published weights.

    Raises:
        ModelError: they cannot be read, or do not belong to the configuration.
    """
    from intonate.converters.emotion2vec_network import Emotion2vec, parameter_name
    from intonate.published import tensors

    source = f"{checkpoint.name}: {WEIGHTS}"
    published_weights = tensors.read(checkpoint.folder / WEIGHTS)
    weights = {name: value for key, value in published_weights.items() if (name := parameter_name(key)) is not None}
    lines = checkpoint.text(LABELS).splitlines()
    place = {label: output for output, label in labels_by_output(checkpoint).items()}
    for part in ("head.weight", "head.bias"):
        if part not in weights:
            raise ModelError(f"{source} has no head (proj), so it names no emotion; give emotion2vec_plus_base")
        if len(weights[part]) != len(lines):
            raise ModelError(
                f"{source} has a head of {len(weights[part])} outputs, and {LABELS} {len(lines)} labels; the files do "
                "not belong together"
            )
        weights[part] = weights[part][[place[label] for label in spec.labels]]
    module = Emotion2vec(sizes_of(checkpoint, len(spec.labels)))
    tensors.fill({"": module}, weights, source)
    return module


def labels_by_output(checkpoint: Checkpoint) -> dict[int, str]:
    """{output: label} of the outputs that count."""
    names = {
        output: "unknown" if line.strip() == UNKNOWN else line.strip().rpartition("/")[2]
        for output, line in enumerate(checkpoint.text(LABELS).splitlines())
        if not line.startswith(UNUSED)
    }
    return dict(zip(names, labels_of([*names.values()], checkpoint.name, LABELS), strict=True))
