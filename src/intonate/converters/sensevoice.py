"""SenseVoice Small by FunASR: emotion, language, sounds beside the speech, and the words, from one pass.

`model.pt`, `config.yaml`, `am.mvn` and `chn_jpn_yue_eng_ko_spectok.bpe.model`. Its answers are symbols among those of
words: of the tag that it would write, the shares of all tags of that kind are told. What funasr answers by default is
what this answers: the language is found out, and the words come without punctuation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intonate.converters.checkpoint import Checkpoint, Description, labels_of
from intonate.converters.sensevoice_files import CONFIG, PIECES, STATISTICS, pieces_of, sizes_of, statistics_of
from intonate.errors import ModelError, require
from intonate.schema import ModelInput, ModelSpec, Pool

WEIGHTS = "model.pt"
MODEL, ENCODER = "SenseVoiceSmall", "SenseVoiceEncoderSmall"
# Symbol -> what it says; the empty ones say that there is nothing to tell.
EMOTIONS: Mapping[str, str] = {
    "<|HAPPY|>": "happy", "<|SAD|>": "sad", "<|ANGRY|>": "angry", "<|NEUTRAL|>": "neutral", "<|FEARFUL|>": "fearful",
    "<|DISGUSTED|>": "disgusted", "<|SURPRISED|>": "surprised", "<|EMO_OTHER|>": "other", "<|EMO_UNKNOWN|>": "unknown",
}  # fmt: skip
EVENTS: Mapping[str, str] = {
    "<|BGM|>": "music", "<|Applause|>": "applause", "<|Laughter|>": "laughter", "<|Cry|>": "crying",
    "<|Sneeze|>": "sneeze", "<|Breath|>": "breath", "<|Cough|>": "cough", "<|Sing|>": "singing",
    "<|Speech|>": "", "<|Speech_Noise|>": "", "<|Event_UNK|>": "",
}  # fmt: skip
LANGUAGES: Mapping[str, str] = {
    "<|zh|>": "zh", "<|en|>": "en", "<|yue|>": "yue", "<|ja|>": "ja", "<|ko|>": "ko", "<|nospeech|>": "",
}  # fmt: skip
# A recording up to this long is answered whole, s, as FunASR cuts longer ones.
LONGEST_S = 30.0
# Of the frames of the filter bank, s.
HOP_S = 0.01


def recognises(checkpoint: Checkpoint) -> bool:
    return (checkpoint.yaml(CONFIG) or {}).get("model") == MODEL


def describe(checkpoint: Checkpoint) -> Description:
    """What will come of it.

    Raises:
        ModelError: a file is missing, is for another network, or has no symbols for emotions.
    """
    checkpoint.require(CONFIG, STATISTICS, WEIGHTS)
    config, pieces = checkpoint.yaml(CONFIG) or {}, pieces_of(checkpoint)
    if config.get("encoder") != ENCODER:
        raise ModelError(
            f"{checkpoint.name}: {CONFIG} has the encoder {config.get('encoder')!r}, and only {ENCODER} is known"
        )
    sizes = sizes_of(checkpoint, len(pieces))
    statistics_of(checkpoint, sizes.bands * sizes.stack)
    emotions = symbols_of(EMOTIONS, pieces)
    names = [EMOTIONS[symbol] for symbol in emotions]
    labels = labels_of(names, checkpoint.name, PIECES)
    spec = checkpoint.spec(
        labels=sorted(labels),
        inputs=(ModelInput("features", "kaldi_fbank", {"bands": sizes.bands, "shape": "hamming"}),),
        pool=Pool(longest_s=LONGEST_S),
        events=tuple(filter(None, (EVENTS[symbol] for symbol in symbols_of(EVENTS, pieces)))),
        spoken_languages=tuple(filter(None, (LANGUAGES[symbol] for symbol in symbols_of(LANGUAGES, pieces)))),
        pieces=pieces,
        piece_s=HOP_S * sizes.step,
    )
    remark = (
        f"Beside the emotion it tells the language ({', '.join(spec.spoken_languages)}), sounds "
        f"({', '.join(spec.events)}), and the words, without punctuation."
    )
    return Description(spec, MODEL, dict(zip(emotions, labels, strict=True)), remark)


def network(checkpoint: Checkpoint, spec: ModelSpec) -> Any:
    """(batch, frames, bands) -> the spec's outputs, and the best symbol of each 60 ms.

    Raises:
        ModelError: the weights cannot be read, or do not belong to the other files.
    """
    from intonate.converters.sensevoice_network import SenseVoice, parameter_name
    from intonate.published import tensors

    torch = require("torch", "train")
    sizes = sizes_of(checkpoint, len(spec.pieces))
    published_weights = tensors.read(checkpoint.folder / WEIGHTS)
    place = {piece: number for number, piece in enumerate(spec.pieces)}
    names = symbols_by_label(spec)
    events, languages = (symbols_of(tags, spec.pieces) for tags in (EVENTS, LANGUAGES))
    module = SenseVoice(
        sizes,
        labels=[place[names[label]] for label in spec.labels],
        events=[place[symbol] for symbol in events],
        event_count=len(spec.events),
        languages=[place[symbol] for symbol in languages],
        language_count=len(spec.spoken_languages),
    )
    weights = {name: value for key, value in published_weights.items() if (name := parameter_name(key)) is not None}
    tensors.fill({"": module}, weights, f"{checkpoint.name}: {WEIGHTS}")
    module.statistics = torch.from_numpy(statistics_of(checkpoint, sizes.bands * sizes.stack))
    return module


def symbols_of(tags: Mapping[str, str], pieces: Sequence[str]) -> list[str]:
    """The tags that are among the pieces; those that say nothing come last, for they are not answered."""
    return [tag for tag in tags if tag in pieces]


def symbols_by_label(spec: ModelSpec) -> dict[str, str]:
    """{label: symbol}."""
    emotions = symbols_of(EMOTIONS, spec.pieces)
    return dict(zip(labels_of([EMOTIONS[symbol] for symbol in emotions], spec.name, PIECES), emotions, strict=True))
