"""What the feature extractors of transformers make of sound: our front end, and what the network does before the model.

Filter banks are reckoned outside of the graph, in numpy; what depends on the clip or on constants of the checkpoint
(the norm of each band, mean and deviation of a data set) is the first thing inside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from intonate.errors import ModelError
from intonate.schema import ModelInput

Extractor = Mapping[str, Any]
WAVEFORM = "Wav2Vec2FeatureExtractor"
# Of architectures that take something else, for files that do not name their extractor.
EXTRACTORS = {"audio-spectrogram-transformer": "ASTFeatureExtractor", "whisper": "WhisperFeatureExtractor"}
# Settings that are numbers. All but the mean of a data set are above zero.
NUMBERS = {
    "sampling_rate", "feature_size", "chunk_length", "n_fft", "hop_length", "max_length", "num_mel_bins", "stride",
    "mean", "std",
}  # fmt: skip
SAMPLE_RATE_HZ = 16_000
# What the filter banks are computed with here, and is not to be had otherwise.
FIXED = {
    "WhisperFeatureExtractor": {"sampling_rate": SAMPLE_RATE_HZ, "n_fft": 400, "hop_length": 160},
    "ASTFeatureExtractor": {"sampling_rate": SAMPLE_RATE_HZ},
    "SeamlessM4TFeatureExtractor": {"sampling_rate": SAMPLE_RATE_HZ},
}
# Added to the variance of a band by SeamlessM4TFeatureExtractor.
EPSILON = 1e-7


@dataclass(frozen=True, slots=True)
class Sound:
    """How a checkpoint takes its sound.

    Attributes:
        item: the input of the graph.
        prepare: (batch, rows, bands) or (batch, samples), a tensor -> what the model of transformers takes.
        longest_s: what is beyond is not heard, s; None for no limit.
        sample_rate_hz: of the sound.
    """

    item: ModelInput
    prepare: Callable[[Any], Any]
    longest_s: float | None = None
    sample_rate_hz: int = SAMPLE_RATE_HZ


def _waveform_input(extractor: Extractor) -> Sound:
    is_scaled = extractor.get("do_normalize", True)
    return Sound(
        ModelInput("waveform", "waveform", {} if is_scaled else {"scale": False}),
        lambda waveform: waveform,
        sample_rate_hz=int(extractor.get("sampling_rate", SAMPLE_RATE_HZ)),
    )


def _whisper_input(extractor: Extractor) -> Sound:
    """30 s, or as many as it was trained on: what is shorter is followed by silence."""
    seconds = int(extractor.get("chunk_length", 30))
    params = {"bands": int(extractor.get("feature_size", 80)), "seconds": seconds}
    return Sound(ModelInput("features", "whisper_log_mel", params), lambda rows: rows.transpose(1, 2), float(seconds))


def _spectrogram_input(extractor: Extractor) -> Sound:
    rows = int(extractor.get("max_length", 1024))
    params = {"bands": int(extractor.get("num_mel_bins", 128)), "shape": "hanning", "scale": 1.0, "rows": rows}
    mean, deviation = float(extractor.get("mean", -4.2677393)), float(extractor.get("std", 4.5689974))
    is_scaled = extractor.get("do_normalize", True)
    # Frames of 25 ms every 10 ms.
    longest_s = (rows - 1) * 0.01 + 0.025
    return Sound(
        ModelInput("features", "kaldi_fbank", params),
        lambda features: (features - mean) / (2 * deviation) if is_scaled else features,
        longest_s,
    )


def _seamless(extractor: Extractor) -> Sound:
    """Each band with zero mean and unit variance over the clip; two frames side by side. A last odd one is masked."""
    bands, stride = int(extractor.get("num_mel_bins", 80)), int(extractor.get("stride", 2))

    def prepare(features: Any) -> Any:
        features = features - features.mean(dim=1, keepdim=True)
        count = features.shape[1]
        variance = (features * features).sum(dim=1, keepdim=True) / (count - 1)
        features = features / (variance + EPSILON).sqrt()
        whole = count // stride
        return features[:, : whole * stride].reshape(features.shape[0], whole, stride * bands)

    return Sound(ModelInput("features", "kaldi_fbank", {"bands": bands}), prepare)


KINDS: dict[str, Callable[[Extractor], Sound]] = {
    WAVEFORM: _waveform_input,
    "WhisperFeatureExtractor": _whisper_input,
    "ASTFeatureExtractor": _spectrogram_input,
    "SeamlessM4TFeatureExtractor": _seamless,
}


def sound_of(extractor: Extractor, name: str) -> Sound:
    """How a checkpoint takes its sound, by its preprocessor_config.json.

    Args:
        extractor: what is in it, and `feature_extractor_type`.
        name: of the checkpoint.

    Raises:
        ModelError: through an extractor that is not known here, or that has code of its own; or with a setting that is
            none, or that cannot be computed here.
    """
    if extractor.get("auto_map"):
        raise ModelError(
            f"{name} brings code of its own (auto_map in preprocessor_config.json), and code of others is never run "
            "here; give a checkpoint whose feature extractor is part of transformers"
        )
    kind = extractor["feature_extractor_type"]
    # The waveform's has settings of others, and null in them.
    for key in sorted(({"sampling_rate"} if kind == WAVEFORM else NUMBERS) & set(extractor)):
        value = extractor[key]
        if not isinstance(value, int | float) or isinstance(value, bool) or (value <= 0 and key != "mean"):
            raise ModelError(
                f"{name} has {value!r} as {key} in its preprocessor_config.json, where a number above zero is "
                "expected; write it there, or fetch the checkpoint again"
            )
    if kind not in KINDS or (kind == WAVEFORM and extractor.get("feature_size", 1) != 1):
        raise ModelError(
            f"{name} hears through {kind}, which intonate cannot compute yet; give one that takes the waveform "
            f"(HuBERT, wav2vec 2.0, WavLM, UniSpeech, SEW, Data2Vec), or hears as Whisper, AST or Wav2Vec2-BERT do"
        )
    if kind == "WhisperFeatureExtractor" and extractor.get("do_normalize"):
        raise ModelError(f"{name} normalises the waveform before {kind}, which cannot be converted yet")
    for key, value in FIXED.get(kind, {}).items():
        if extractor.get(key, value) != value:
            raise ModelError(
                f"{name} hears through {kind} with {key} {extractor[key]}, and intonate computes it with {value} only; "
                "give a checkpoint that hears so"
            )
    return KINDS[kind](extractor)
