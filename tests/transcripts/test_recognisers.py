"""What is said: cutting, times, the two recognisers of speech, and what goes wrong."""

import dataclasses
import shutil
import subprocess

import numpy as np
import pytest
import small_whisper
import tiny

from intonate.errors import AudioError, MissingExtraError, ModelError
from intonate.recognizer.recognizer import Failure, load_model
from intonate.schema import Segment
from intonate.transcripts import recognisers as transcribe
from intonate.transcripts.recognisers import RATE_HZ, Transcriber, Transcript, Word, pieces, transcriber, with_words


def stand_in(calls=None):
    """Hears one word in every piece, from its second tenth to its third."""

    def recognise(waveform, language):
        if calls is not None:
            calls.append((len(waveform), language))
        return [Word(f"w{len(waveform)}", 0.1, 0.2)], "en"

    return Transcriber("stand-in", "1", recognise)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    pytest.importorskip("faster_whisper")
    pytest.importorskip("transformers")
    return small_whisper.write(tmp_path_factory.mktemp("whisper"))


def test_pieces_are_cut_where_it_is_quiet_and_lose_nothing():
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 70 * RATE_HZ).astype(np.float32)
    for quiet_s in (25.0, 50.0):
        sound[round((quiet_s - 0.2) * RATE_HZ) : round((quiet_s + 0.2) * RATE_HZ)] *= 0.01
    cut = list(pieces(np.array_split(sound, 7)))
    np.testing.assert_array_equal(np.concatenate([piece for _, piece in cut]), sound)
    assert all(len(piece) <= transcribe.PIECE_S * RATE_HZ for _, piece in cut)
    assert [start for start, _ in cut] == pytest.approx([0, 25, 50], abs=0.1)


def test_nothing_is_no_piece():
    assert list(pieces([])) == []
    assert [len(piece) for _, piece in pieces([np.zeros(5, np.float32)])] == [5]


def test_times_are_those_of_the_recording_and_the_language_is_kept():
    calls = []
    sound = np.concatenate([tiny.speech(4.0, seed=seed) for seed in range(12)])
    transcript = stand_in(calls)((sound, RATE_HZ))
    assert [language for _, language in calls] == ["", "en"]
    assert transcript.words[0].start_s == pytest.approx(0.1)
    assert transcript.words[1].start_s == pytest.approx(calls[0][0] / RATE_HZ + 0.1)
    part = stand_in()((sound, RATE_HZ), start_s=3.0, end_s=5.0)
    assert (part.text, part.words[0].start_s) == ("w32000", pytest.approx(3.1))


def test_nobody_is_asked_about_silence():
    calls = []
    transcript = stand_in(calls)((np.zeros(3 * RATE_HZ, np.float32), RATE_HZ))
    assert (transcript.text, transcript.language, calls) == ("", "", [])


def test_a_bad_sound_is_refused(tmp_path):
    with pytest.raises(AudioError, match=r"none\.wav"):
        stand_in()(tmp_path / "none.wav")


def test_stretches_in_a_row_share_no_word():
    transcript = Transcript(tuple(Word(str(n), n * 0.4, n * 0.4 + 0.3) for n in range(10)), "en")
    assert [transcript.text_between(start, start + 1) for start in range(4)] == ["0 1 2", "3 4", "5 6 7", "8 9"]


def test_segments_have_their_words_and_none_is_lost_in_silence():
    segments = [
        Segment(0, 1, "happy", {"happy": 1.0}),
        Segment(1, 3, "silence", {}, speech=False),
        Segment(3, 4, "sad", {"sad": 1.0}),
    ]
    transcript = Transcript((Word("a", 0, 0.5), Word("b", 1.1, 1.3), Word("c", 2.5, 2.9), Word("d", 5, 6)), "en")
    assert [segment.text for segment in with_words(segments, transcript)] == ["a b", "", "c d"]
    assert [segment.text for segment in with_words(segments[1:2], transcript)] == [""]


# In the recogniser of emotions


def test_words_go_into_the_answer_and_its_segments(tiny_model):
    model = load_model(tiny_model)
    clip = (tiny.speech(2.0, hiss=0.1), RATE_HZ)
    answer = model.predict(clip, transcribe=stand_in())
    assert (answer.transcript, answer.segments[0].text) == ("w32000", "w32000")
    assert answer.to_dict()["segments"][0]["text"] == "w32000"
    alone = model.predict(clip)
    assert alone.scores == answer.scores
    assert "text" not in alone.to_dict()["segments"][0]


def test_words_of_long_recordings_lie_in_their_segments(tiny_model):
    sound = np.concatenate([tiny.speech(4.0, seed=seed) for seed in range(12)])
    answer = load_model(tiny_model).predict((sound, RATE_HZ), transcribe=stand_in())
    words = [(word, segment) for segment in answer.segments for word in segment.text.split()]
    assert " ".join(word for word, _ in words) == answer.transcript
    assert words[0][1] is answer.segments[0]


def test_words_go_into_a_model_that_reads(text_model):
    model = load_model(text_model)
    clip = (tiny.speech(2.0, hiss=0.1), RATE_HZ)
    reader = dataclasses.replace(stand_in(), recognise=lambda *_: ([Word("kids", 0, 1), Word("talking", 1, 2)], "en"))
    assert model.predict(clip, transcribe=reader).scores == model.predict(clip, text="kids talking").scores
    answers = list(model.predict_many([clip, clip], transcribe=reader, same_speaker=True))
    assert [answer.transcript for answer in answers] == ["kids talking"] * 2


def test_each_recording_has_its_own_words_and_a_bad_one_stops_none(tiny_model, tmp_path):
    sources = [(tiny.speech(1.0, hiss=0.1), RATE_HZ), tmp_path / "none.wav", (tiny.speech(2.0, hiss=0.1), RATE_HZ)]
    one, bad, two = load_model(tiny_model).predict_many(sources, transcribe=stand_in())
    assert (one.transcript, two.transcript) == ("w16000", "w32000")
    assert isinstance(bad, Failure)


def test_given_and_written_down_is_refused(tiny_model):
    with pytest.raises(ModelError, match="leave out one"):
        load_model(tiny_model).predict("clip.wav", text="yes", transcribe=stand_in())


# Whisper


def test_whisper_runs_from_a_folder(whisper):
    recogniser = transcriber(f"whisper:{whisper}")
    assert recogniser is transcriber(f"whisper:{whisper}")
    assert recogniser.name == f"whisper:{whisper}"
    assert recogniser.version.startswith("faster-whisper ")
    transcript = recogniser((tiny.speech(2.0), RATE_HZ))
    assert transcript.language == "en"
    assert transcript.text
    assert all(word.text == word.text.strip() and 0 <= word.start_s <= word.end_s <= 3 for word in transcript.words)


@pytest.mark.parametrize("missing", transcribe.FILES)
def test_a_folder_without_a_file_is_told(whisper, tmp_path, missing):
    folder = shutil.copytree(whisper, tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=missing):
        transcriber(f"whisper:{folder}")


def test_a_damaged_model_is_told(whisper, tmp_path):
    folder = shutil.copytree(whisper, tmp_path / "model")
    (folder / "model.bin").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be read"):
        transcriber(f"whisper:{folder}")


@pytest.fixture
def no_models(monkeypatch):
    """As on a machine where the hub's client has fetched nothing."""
    pytest.importorskip("faster_whisper")
    monkeypatch.setattr(transcribe, "_cached_whisper_folder", lambda package, size: None)
    transcribe._load_transcriber.cache_clear()
    yield
    transcribe._load_transcriber.cache_clear()


def test_a_size_that_is_not_here_says_what_to_fetch(no_models):
    with pytest.raises(ModelError, match=r"488 MB.*hf download Systran/faster-whisper-small .* give whisper:faster"):
        transcriber("whisper:small")
    with pytest.raises(ModelError, match=r"hf download Systran/faster-whisper-small "):
        transcriber("whisper")


def test_sizes_of_all_kinds_are_found(no_models):
    import faster_whisper

    assert set(transcribe.SIZES) <= set(faster_whisper.available_models())
    for size in transcribe.SIZES:
        with pytest.raises(ModelError, match=r"\([\d.]+ [MG]B\)"):
            transcriber(f"whisper:{size}")


def test_the_best_is_pocketsphinx_where_there_is_no_whisper(no_models):
    pytest.importorskip("pocketsphinx")
    assert transcriber(True) is transcriber("pocketsphinx")


def test_unknown_names(no_models):
    with pytest.raises(ModelError, match=r"'wisper'; did you mean 'whisper'"):
        transcriber("wisper")
    with pytest.raises(ModelError, match=r"neither a folder nor a size; did you mean 'small'"):
        transcriber("whisper:smal")


def test_without_the_extra_the_mend_is_told(monkeypatch):
    transcribe._load_transcriber.cache_clear()
    monkeypatch.setattr(transcribe, "require", _nothing_installed)
    with pytest.raises(MissingExtraError, match=r"intonate\[transcribe\]"):
        transcriber()
    for name in ("whisper:small", "pocketsphinx"):
        with pytest.raises(MissingExtraError, match=r"intonate\[transcribe\]"):
            transcriber(name)


def _nothing_installed(module, extra):
    from intonate.errors import require

    return require(f"no_{module}", extra)


# pocketsphinx, for real


@pytest.fixture(scope="module")
def sentence(tmp_path_factory):
    """`the weather is good today`, said by espeak-ng."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    path = tmp_path_factory.mktemp("said") / "said.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", path, "I want to go to the park today"], check=True)
    return path


def test_pocketsphinx_hears_words_of_a_synthetic_voice(sentence):
    pytest.importorskip("pocketsphinx")
    recogniser = transcriber("pocketsphinx")
    assert "English" in recogniser.caution
    transcript = recogniser(sentence)
    assert transcript.language == "en"
    assert transcript == recogniser(sentence)
    assert len({"want", "go", "to", "the", "park", "today"} & set(transcript.text.split())) >= 3, transcript.text
    assert all(
        before.end_s <= after.start_s + 0.02
        for before, after in zip(transcript.words, transcript.words[1:], strict=False)
    )
    assert not any(sign in transcript.text for sign in "<[(+")
