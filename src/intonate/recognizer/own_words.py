"""The words that a model writes down itself (SenseVoice), as a recogniser of speech like any other."""

from __future__ import annotations

import dataclasses
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from intonate.audio.decode import Source, Waveform
from intonate.errors import ModelError
from intonate.recognizer import builtin, inputs
from intonate.recognizer.late_fusion import LateFusion
from intonate.recognizer.model_file import ModelFile, read_model
from intonate.recognizer.outputs import language_of
from intonate.recognizer.request import Request
from intonate.schema import ModelSpec
from intonate.transcripts.pieces import words_of
from intonate.transcripts.recognisers import Transcriber, Transcript, Word

# What `--transcribe sensevoice` alone means.
REPOSITORY = "hf:FunAudioLLM/SenseVoiceSmall"
CAUTION = "sensevoice knows Chinese, Cantonese, English, Japanese and Korean, and writes without punctuation"


def transcript_of(spec: ModelSpec, answer: NDArray[np.float64], numbers: NDArray[np.int64]) -> Transcript:
    """The words of one answer.

    Args:
        spec: of the model.
        answer: (outputs,).
        numbers: (steps,) of its pieces.
    """
    words = tuple(words_of(numbers, spec.pieces, spec.piece_s))
    return Transcript(words, language_of(spec, answer) if words else "")


def transcriber_of(model: ModelFile | LateFusion) -> Transcriber:
    """A recogniser of speech that is a model which writes words down."""

    def recognise(waveform: Waveform, _: str) -> tuple[list[Word], str]:
        feeds = inputs.padded_batch(model.spec.inputs, [inputs.extract(model.spec, waveform)])
        answers, numbers = model.run_with_pieces(feeds)
        if numbers is None:
            return [], ""
        transcript = transcript_of(model.spec, answers[0], numbers[0])
        return list(transcript.words), transcript.language

    return Transcriber(model.spec.name, f"intonate {metadata.version('intonate')}", recognise, CAUTION)


def with_transcriber(request: Request, model: ModelFile | LateFusion) -> Request:
    """The request with the model itself as its recogniser of speech, if it is one, and no other is asked for."""
    if not model.spec.pieces or request.transcriber is not None:
        return request
    return dataclasses.replace(request, transcriber=transcriber_of(model))


def with_transcript(request: Request, model: ModelFile | LateFusion, source: Source) -> Request:
    """The request with what the model itself writes down of a recording, if it does, and no words are there."""
    if not model.spec.pieces or request.text is not None:
        return request
    return request.with_transcript(transcriber_of(model)(source))


def load_transcriber(name: str) -> Transcriber:
    """The same of a model's name, for `--transcribe sensevoice:NAME`.

    Args:
        name: a model file, or the name or folder of a checkpoint that was converted before; empty for the known one.

    Raises:
        ModelError: it is not here, or writes nothing down.
    """
    model_name = name or REPOSITORY
    model = read_model(builtin.path_of(model_name))
    if not model.spec.pieces:
        raise ModelError(f"{model_name} writes no words down; give a SenseVoice, as {REPOSITORY}")
    return transcriber_of(model)
