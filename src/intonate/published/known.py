"""Open models of emotion that people use, with what their authors and others say of them in public.

None of it was measured here. A figure says whose it is; where nothing could be cited, there is none.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from intonate.published.files import SAFETENSORS

WEIGHTS = (*SAFETENSORS, "pytorch_model.bin", "pytorch_model.bin.index.json")
# Family -> the files that it cannot do without: of each group one, as names or patterns, the configuration first.
FILES: Mapping[str, tuple[Collection[str], ...]] = {
    "emotion2vec": (["config.yaml"], ["model.pt"], ["tokens.txt"]),
    "sensevoice": (["config.yaml"], ["model.pt"], ["am.mvn"], ["*.bpe.model"]),
    "speechbrain": (["hyperparams.yaml"], ["wav2vec2.ckpt"], ["model.ckpt"], ["label_encoder.txt"]),
    "odyssey": (["config.json"], WEIGHTS),
    "vox_profile": (["config.json"], WEIGHTS),
    "wav2small": (["config.json"], WEIGHTS),
    "transformers": (["config.json"], ["preprocessor_config.json"], WEIGHTS),
    "own_head": (["config.json"], ["preprocessor_config.json"], WEIGHTS),
}
# Of a parameter, in a file of weights.
BYTES = 4


@dataclass(frozen=True, slots=True)
class Known:
    """One of them.

    Attributes:
        repository: ORG/NAME on the Hugging Face hub.
        family: its converter in `intonate.converters.FAMILIES`.
        parameters: in millions; 0 for less than one.
        answers: what it tells, in words.
        languages: what it was trained on.
        licence: of the weights, as published.
        figure: a published one, in words; empty where none is known.
        source: of the figure.
    """

    repository: str
    family: str
    parameters: int
    answers: str
    languages: str
    licence: str
    figure: str = ""
    source: str = ""

    @property
    def required_files(self) -> tuple[Collection[str], ...]:
        return FILES[self.family]

    @property
    def size_mb(self) -> int:
        return max(1, BYTES * self.parameters)


FUNASR = "FunASR Model License"
RAIL = "OpenRAIL; its card excludes commercial use"
MSP = "English (MSP-Podcast)"
ORUK = "oruk-bench 0.1.1 (PyPI), 2026"
SUPERB = "Yang et al. 2021, SUPERB"
KNOWN: tuple[Known, ...] = (
    Known(
        "emotion2vec/emotion2vec_plus_large", "emotion2vec", 300, "9 emotions", "many", FUNASR,
        "emotion2vec+: 68.5 to 68.7 % of 64,384 clips, zero-shot", ORUK,
    ),
    Known(
        "emotion2vec/emotion2vec_plus_base", "emotion2vec", 90, "9 emotions", "many", FUNASR,
        "emotion2vec+: 68.5 to 68.7 % of 64,384 clips, zero-shot", ORUK,
    ),
    Known("emotion2vec/emotion2vec_plus_seed", "emotion2vec", 90, "9 emotions", "many", FUNASR),
    Known("emotion2vec/emotion2vec_base_finetuned", "emotion2vec", 90, "9 emotions", "many", FUNASR),
    Known(
        "FunAudioLLM/SenseVoiceSmall", "sensevoice", 234, "8 emotions, language, sounds, and the words",
        "Chinese, Cantonese, English, Japanese, Korean", FUNASR, "55.7 % of 64,384 clips, zero-shot", ORUK,
    ),
    Known("3loi/SER-Odyssey-Baseline-WavLM-Categorical", "odyssey", 319, "8 emotions", MSP, "MIT"),
    Known(
        "3loi/SER-Odyssey-Baseline-WavLM-Multi-Attributes", "odyssey", 319, "arousal, dominance, valence", MSP, "MIT",
        "CCC of valence 0.577, arousal 0.405, dominance 0.577 on the third test set of MSP-Podcast", "its own card",
    ),
    Known(
        "speechbrain/emotion-recognition-wav2vec2-IEMOCAP", "speechbrain", 95, "4 emotions", "English (IEMOCAP)",
        "Apache-2.0", "78.7 % on IEMOCAP (75.3 on average)", "its own card",
    ),
    Known(
        "tiantiaf/wavlm-large-categorical-emotion", "vox_profile", 316,
        "9 emotions, and arousal, valence, dominance", MSP, RAIL,
    ),
    Known(
        "tiantiaf/whisper-large-v3-msp-podcast-emotion", "vox_profile", 637,
        "9 emotions, and arousal, valence, dominance", MSP, RAIL,
    ),
    Known(
        "tiantiaf/wavlm-large-msp-podcast-emotion-dim", "vox_profile", 316, "arousal, valence, dominance", MSP, RAIL
    ),
    Known("audeering/wav2small", "wav2small", 0, "arousal, dominance, valence", MSP, "CC-BY-NC-SA-4.0"),
    Known(
        "superb/hubert-large-superb-er", "transformers", 316, "4 emotions", "English (IEMOCAP)", "Apache-2.0",
        "67.6 % on IEMOCAP, five folds", SUPERB,
    ),
    Known(
        "superb/hubert-base-superb-er", "transformers", 95, "4 emotions", "English (IEMOCAP)", "Apache-2.0",
        "64.9 % on IEMOCAP, five folds", SUPERB,
    ),
    Known(
        "superb/wav2vec2-base-superb-er", "transformers", 95, "4 emotions", "English (IEMOCAP)", "Apache-2.0",
        "63.4 % on IEMOCAP, five folds", SUPERB,
    ),
    Known(
        "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim", "own_head", 165, "arousal, dominance, valence",
        "English (MSP-Podcast)", "CC-BY-NC-SA-4.0", "CCC of valence 0.638 on MSP-Podcast",
        "Wagner et al. 2023, doi:10.1109/TPAMI.2023.3263585",
    ),
    Known(
        "ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition", "own_head", 316, "8 emotions",
        "English (RAVDESS)", "Apache-2.0", "82 % on a random split of RAVDESS (speakers overlap)", "its own card",
    ),
)  # fmt: skip
BY_REPOSITORY: Mapping[str, Known] = {known.repository: known for known in KNOWN}


def hint(name: str) -> str:
    """The beginning of a remedy: which of them a name most likely means, if it is not the whole name of one.

    >>> hint("iic/emotion2vec_plus_base")
    'did you mean hf:emotion2vec/emotion2vec_plus_base? '
    >>> hint("something else")
    ''

    Args:
        name: as a person gave it: without the ORG, with that of another hub, or with a slip.
    """
    by_last_part = {repository.rpartition("/")[2].lower(): repository for repository in BY_REPOSITORY}
    repository = name.removeprefix("hf:").partition("@")[0]
    nearest = difflib.get_close_matches(repository.rpartition("/")[2].lower(), by_last_part, n=1, cutoff=0.8)
    if repository in BY_REPOSITORY or not nearest:
        return ""
    return f"did you mean hf:{by_last_part[nearest[0]]}? "
