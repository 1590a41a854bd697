"""The stream: any chunking, the same answers as offline, steady labels, and what tells speech from the rest."""

import dataclasses
import io
import itertools
import re
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
import tiny
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from intonate import SpeakerStatistics, load_model
from intonate.audio import decode
from intonate.audio.resample import resample
from intonate.audio.voice import detector
from intonate.errors import AudioError, LabelError, ModelError
from intonate.recognizer import builtin, inputs, recording
from intonate.recognizer.model_file import read_model
from intonate.recognizer.recognizer import Recognizer
from intonate.recognizer.streaming import MARGIN_S, PAUSE_S, SHOWN_S, STEP_S, SWITCH_BY, TICK_S
from intonate.schema import Pool

CORPORA = Path(__file__).parents[2] / "../shared/corpora"
NOISE = CORPORA.parent / "noise"
RATE = 16_000
LABEL = ("label", "guess", "abstained")

corpora = pytest.mark.skipif(not (CORPORA / "ravdess").is_dir(), reason="needs RAVDESS in ../shared/corpora")


def talk(*pieces, hiss=0.0):
    """Speech (positive) and silence (negative) by their lengths in seconds."""
    return np.concatenate(
        [
            tiny.speech(length, seed=number, hiss=hiss) if length > 0 else np.zeros(round(-length * RATE), np.float32)
            for number, length in enumerate(pieces)
        ]
    )


def events_of(stream, waveform, chunk=1600):
    events = [event for start in range(0, len(waveform), chunk) for event in stream.push(waveform[start:][:chunk])]
    return events + stream.finish()


def segments(events):
    return [event for event in events if event.type == "segment"]


class Scripted:
    """A recognizer whose answers are written beforehand, the last one repeated."""

    def __init__(self, recognizer, answers, **changes):
        self.spec = dataclasses.replace(recognizer.spec, **changes)
        self.script, self.asked = answers, 0

    def answers(self, clips):
        answer = np.full(len(self.spec.labels), 1e-6)
        for label, score in self.script[min(self.asked, len(self.script) - 1)].items():
            answer[self.spec.labels.index(label)] = score
        self.asked += 1
        return np.array([answer / answer.sum()])


# Any chunking


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 3 * 22_050), max_size=12),
    rate=st.sampled_from([16_000, 22_050]),
    integers=st.booleans(),
)
def test_any_chunking_gives_the_same_events(recognizer, cuts, rate, integers):
    waveform = resample(talk(1.2, -1.0, 0.8), RATE, rate)
    if integers:
        waveform = (waveform * 32767).astype(np.int16)
    whole = recognizer.stream(rate, activity="energy")
    expected = whole.push(waveform) + whole.finish()
    cut = recognizer.stream(rate, activity="energy")
    got = [
        event for part in np.split(waveform, sorted(min(c, len(waveform)) for c in cuts)) for event in cut.push(part)
    ]
    assert got + cut.finish() == expected
    assert cut.received == len(waveform)


def test_single_samples(recognizer):
    waveform = tiny.speech(1.1)
    stream = recognizer.stream(RATE)
    assert events_of(stream, waveform, 1) == events_of(recognizer.stream(RATE), waveform)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_the_chunk_that_completes_a_window_brings_its_event(recognizer, rate):
    """No resampler may hold anything back."""
    stream = recognizer.stream(rate)
    waveform = resample(tiny.speech(3.0), RATE, rate)
    for end_s in (1.0, 1.5, 2.0, 2.5):
        due = round(end_s * rate)
        before = stream.push(waveform[stream.received : due - 1])
        assert stream.completes(1)
        assert [event.end_s for event in segments(stream.push(waveform[due - 1 : due]))] == [end_s]
        assert segments(before) == []


def test_what_was_pushed_may_be_overwritten(recognizer):
    waveform = tiny.speech(2.2)
    buffer = waveform.copy()
    stream = recognizer.stream(RATE)
    events = stream.push(buffer)
    buffer[:] = np.nan
    assert events + stream.finish() == events_of(recognizer.stream(RATE), waveform)


def test_segments_tile_the_stream(recognizer):
    waveform = talk(1.3, -1.2, 0.9, -0.27)
    found = segments(events_of(recognizer.stream(RATE), waveform))
    assert found[0].start_s == 0.0
    assert [event.start_s for event in found[1:]] == [event.end_s for event in found[:-1]]
    assert found[-1].end_s == pytest.approx(len(waveform) / RATE)


def test_nothing_gives_nothing(recognizer):
    assert recognizer.stream(RATE).finish() == []


def test_memory_does_not_grow(recognizer):
    stream = recognizer.stream(RATE)
    for _ in range(120):
        stream.push(np.zeros(RATE, np.float32))
    assert len(stream._buffer._resampled._samples) < 40 * RATE


# The same answers as offline


def offline(recognizer, waveform):
    """The windows of the stream, as a recording: {end in seconds: probabilities or None}, and what was heard."""
    spec = dataclasses.replace(recognizer.spec, pool=Pool(longest_s=0.5, window_s=2.0, hop_s=0.5))
    long = Recognizer(dataclasses.replace(recognizer._model, spec=spec))
    speaker = SpeakerStatistics()
    request = long._request(None, True, None, speaker)
    _, blocks = recording.open_recording((waveform, RATE), RATE, spec.pool)
    windows = long._windows(blocks, request, speaker)
    return {round(window.end_s, 3): window.probabilities for window in windows}, speaker


def check_parity(recognizer, waveform):
    expected, speaker = offline(recognizer, waveform)
    stream = recognizer.stream(RATE)
    compared = 0
    for event in segments(events_of(stream, waveform)):
        answer = expected.get(round(event.end_s, 3))
        if answer is None or not event.raw:
            assert answer is None or event.end_s < 2.0, event
            continue
        compared += 1
        theirs = dict(zip(recognizer.spec.labels, answer, strict=True))
        assert max(abs(theirs[label] - score) for label, score in event.raw.items()) < 0.02
        best, second, *_ = sorted(theirs.values(), reverse=True)
        if best - second > 0.04:
            assert next(iter(event.raw)) == max(theirs, key=theirs.get)
    for item in recognizer.spec.inputs:
        np.testing.assert_allclose(stream.speaker.get(item.name).total, speaker.get(item.name).total, rtol=1e-5)
        assert stream.speaker.get(item.name).count == speaker.get(item.name).count
    return compared


@pytest.mark.parametrize("activity", ["neural", "energy"])
def test_no_utterance_is_told_again_where_the_stream_ends_within_a_frame(recognizer, activity):
    """The last frame is shorter there; what was known of an utterance that has ended is no new one."""
    sound = np.concatenate([tiny.speech(1.3), np.zeros(RATE, np.float32)])
    for extra in range(0, 160, 13):
        stream = recognizer.stream(RATE, activity=activity)
        events = [*stream.push(sound[: len(sound) - extra]), *stream.finish()]
        (final,) = [event for event in events if event.type == "final"]
        assert final.speech_s <= final.end_s - final.start_s + 0.01
        # The next one begins where the last has ended, at the earliest.
        stream = recognizer.stream(RATE, activity=activity)
        chunks = [sound[extra:], sound[: len(sound) - extra]]
        events = [event for chunk in chunks for event in stream.push(chunk)] + stream.finish()
        finals = [event for event in events if event.type == "final"]
        assert len(finals) == 2
        assert finals[0].end_s <= finals[1].start_s


def test_plain_pieces_have_no_other_options(recognizer):
    with pytest.raises(AudioError, match="hop_s, activity: no part of plain pieces"):
        recognizer.stream(RATE, plain=True, hop_s=0.5, activity="energy")


def test_stream_and_recording_agree(recognizer):
    assert check_parity(recognizer, talk(3.2, -2.6, 2.9, -0.3)) >= 10


@corpora
@pytest.mark.corpora
@pytest.mark.skipif(not builtin.names(), reason="no model is built in")
def test_stream_and_recording_agree_on_real_clips():
    clips = sorted((CORPORA / "ravdess/Actor_05").glob("*.flac"))[4:60:14]
    waveform = np.concatenate([decode.load(clip) for clip in clips])
    assert check_parity(load_model(), waveform) >= 15


# Steady labels


def scripted_labels(recognizer, answers, seconds=6.0, **changes):
    from intonate.recognizer.streaming import Stream

    stream = Stream(Scripted(recognizer, answers, **changes), RATE, activity="energy")
    return segments(events_of(stream, tiny.speech(seconds)))


def test_smoothing_follows_its_time_constant(recognizer):
    """After a change the old log-probabilities keep exp(-0.5 / 1) of the weight per hop."""
    answers = [{"happy": 0.9, "sad": 0.1}] * 3 + [{"happy": 0.1, "sad": 0.9}]
    after = scripted_labels(recognizer, answers)[3].scores
    keep = np.exp(-0.5)
    expected = (2 * keep - 1) * np.log(9)
    assert np.log(after["happy"] / after["sad"]) == pytest.approx(expected, abs=1e-3)


def test_one_odd_window_does_not_change_the_label(recognizer):
    happy, sad = {"happy": 0.6, "sad": 0.4}, {"happy": 0.4, "sad": 0.6}
    found = scripted_labels(recognizer, [happy, happy, happy, sad, happy, happy])
    assert {event.label for event in found} == {"happy"}
    assert next(iter(found[3].raw)) == "sad"


def test_a_real_change_comes_through_within_three_hops(recognizer):
    found = scripted_labels(recognizer, [{"happy": 0.9, "sad": 0.1}] * 4 + [{"happy": 0.1, "sad": 0.9}])
    assert found[3].label == "happy"
    assert found[6].label == "sad"


def test_a_label_gives_way_only_to_a_better_one(recognizer):
    """Scores that swing by less than the margin never make the label flicker."""
    swing = SWITCH_BY / 2 - 0.005
    pair = [{"happy": 0.5 + swing, "sad": 0.5 - swing}, {"happy": 0.5 - swing, "sad": 0.5 + swing}]
    assert len({event.label for event in scripted_labels(recognizer, pair * 8)}) == 1


def test_the_label_is_the_best_wherever_it_leads_clearly(recognizer):
    rng = np.random.default_rng(3)
    answers = [dict(zip(tiny.LABELS, rng.dirichlet(np.ones(7)), strict=True)) for _ in range(20)]
    spoken = [event for event in scripted_labels(recognizer, answers, 10.0) if event.state == "speech"]
    assert len(spoken) > 10
    for event in spoken:
        best, second, *_ = event.scores.values()
        assert sum(event.scores.values()) == pytest.approx(1)
        if best - second > SWITCH_BY:
            assert event.label == next(iter(event.scores))


def test_unsure_below_the_threshold_and_without_flicker(recognizer):
    low, high = {"happy": 0.5, "sad": 0.3, "fear": 0.2}, {"happy": 0.7, "sad": 0.3}
    assert {event.label for event in scripted_labels(recognizer, [low], abstain_below=0.6)} == {"unsure"}
    near = {"happy": 0.58, "sad": 0.42}
    found = scripted_labels(recognizer, [high, near, near], abstain_below=0.6)
    assert {event.label for event in found} == {"happy"}


# Speech, silence, noise, utterances


def test_states_and_finals(recognizer):
    events = events_of(recognizer.stream(RATE, activity="energy"), talk(2.0, -2.0, 2.0, -4.5))
    finals = [event for event in events if event.type == "final"]
    assert len(finals) == 2
    assert finals[0].start_s < 0.5
    assert finals[0].end_s == pytest.approx(2.0, abs=0.4)
    assert finals[1].start_s == pytest.approx(4.0, abs=0.4)
    assert all(sum(event.scores.values()) == pytest.approx(1) for event in finals)
    states = [event.state for event in segments(events)]
    assert "speech" in states
    assert states[-1] == "silence"
    quiet = [event for event in segments(events) if event.state != "speech"]
    # Through a short pause the label is held; after it the state is shown.
    held = [event for event in quiet if event.scores]
    assert held
    assert all(event.state == "silence" and event.label in (*tiny.LABELS, "unsure") for event in held)
    assert all(event.label == event.state for event in quiet if not event.scores)
    assert not quiet[-1].scores
    assert "noise" not in {event.label for event in segments(events) if event.end_s < 6.0}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.6, 4.0), min_size=2, max_size=6))
@example([1.25, 1.65625, 4.0, 2.857229376263602])  # another label while the first word waits for the pause to be shown
def test_what_is_shown_is_shown_for_a_second(recognizer, lengths):
    spans = [length if number % 2 else -length for number, length in enumerate(lengths)]
    found = segments(events_of(recognizer.stream(RATE, activity="energy"), talk(*spans)))
    starts = [one.start_s for before, one in itertools.pairwise(found) if before.label != one.label]
    assert all(later - earlier >= SHOWN_S - 1e-6 for earlier, later in itertools.pairwise(starts))


@pytest.mark.parametrize("hop_s", [0.1, 0.5, 0.7, 2.0])
def test_activity_is_asked_in_long_steps_and_an_end_is_found_at_once(recognizer, hop_s):
    stream = recognizer.stream(RATE, activity="energy", hop_s=hop_s)
    stream._detect = Mock(wraps=stream._detect, least_s=stream._detect.least_s)
    waveform, ends = talk(3.0, -1.1), []
    for start in range(0, len(waveform), RATE // 20):
        events = stream.push(waveform[start:][: RATE // 20])
        ends += [(start / RATE + 0.05, event.end_s) for event in events if event.type == "final"]
    stream.finish()
    steps_s = [call.args[1] / RATE for call in stream._detect.call_args_list]
    assert sum(steps_s) == pytest.approx(4.1)
    assert max(steps_s) <= STEP_S + 1e-6
    assert len(steps_s) <= max(4.1 / hop_s, 4.1 / 0.45) + 4
    ((found_s, end_s),) = ends
    assert PAUSE_S - 1e-6 <= found_s - end_s <= PAUSE_S + TICK_S + 0.06


def test_a_short_pause_does_not_end_an_utterance(recognizer):
    events = events_of(recognizer.stream(RATE, activity="energy"), talk(1.5, -0.4, 1.5, -1.5))
    assert [event.type for event in events].count("final") == 1


def test_speech_to_the_very_end_is_finished_too(recognizer):
    events = events_of(recognizer.stream(RATE, activity="energy"), tiny.speech(1.7))
    assert events[-1].type == "final"
    assert events[-1].end_s <= 1.7


def test_steady_noise_is_noise(recognizer):
    noise = np.random.default_rng(0).normal(0, 0.05, 4 * RATE).astype(np.float32)
    found = segments(events_of(recognizer.stream(RATE, activity="energy"), noise))
    assert {event.label for event in found[1:]} == {"noise"}


@corpora
@pytest.mark.corpora
def test_the_neural_detector_tells_noise_from_speech(recognizer):
    for name in ("dude_miaowing", "doing_the_dishes", "running_tap"):
        waveform = decode.load(NOISE / f"{name}.flac", end_s=6.0)
        found = segments(events_of(recognizer.stream(RATE, activity="neural"), waveform))
        assert sum(event.state == "speech" for event in found) <= 1, name
    clip = decode.load(next(iter(sorted((CORPORA / "emodb/wav").glob("*")))))
    assert any(e.state == "speech" for e in segments(events_of(recognizer.stream(RATE, activity="neural"), clip)))


def test_detectors_answer_per_frame():
    for name in ("energy", "neural"):
        listen = detector(name, RATE)
        window = tiny.speech(2.0)
        for fresh in (16_000, 8_000, 8_000, 1, 161, 500):
            assert listen(window, fresh).shape == (200,)


# Plain mode, merges, JSON, errors


def test_plain_pieces(recognizer):
    loud = talk(4.0)
    found = events_of(recognizer.stream(RATE, plain=True), np.concatenate([loud, 0.005 * np.sign(loud[:32_000])]))
    assert [(event.start_s, event.end_s) for event in found] == [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
    assert found[2].label == "neutral"
    assert found[2].state == "silence"
    assert not found[2].scores
    alone = recognizer.predict((loud[:32_000], RATE))
    assert found[0].label == alone.label
    assert found[0].scores == pytest.approx(alone.scores)


def test_plain_quiet_pieces_never_reach_the_model(recognizer, monkeypatch):
    monkeypatch.setattr(recognizer, "probabilities", lambda *_: pytest.fail("the model was asked"))
    quiet = np.full(5 * RATE, 0.009, np.float32)
    assert {e.label for e in events_of(recognizer.stream(RATE, plain=True, labels="p4-4"), quiet)} == {"neutral"}


@pytest.mark.parametrize("plain", [False, True])
def test_merged_labels(recognizer, plain):
    events = events_of(recognizer.stream(RATE, plain=plain, labels="p4-4"), tiny.speech(2.5))
    merged = {"anger/disgust", "fear/surprise", "happiness", "sadness"}
    assert all(set(event.scores) == merged for event in events if event.scores)
    with pytest.raises(LabelError, match="did you mean 'p4-4'"):
        recognizer.stream(RATE, plain=plain, labels="p4")


def test_json_shape(recognizer):
    *some, final = events_of(recognizer.stream(RATE, activity="energy"), tiny.speech(2.0))
    shape = some[0].to_dict()
    assert shape.keys() == {"type", "start", "end", *LABEL, "scores", "speech", "state", "raw", "level"}
    assert [entry["score"] for entry in shape["scores"]] == sorted((e["score"] for e in shape["scores"]), reverse=True)
    assert final.to_dict().keys() == {"type", "start", "end", *LABEL, "scores", "speech", "transcript"}


@pytest.mark.parametrize(
    "chunk",
    [
        np.array([0.1, np.nan], np.float32),
        np.array([np.inf]),
        np.array([1e300]),
        np.zeros((2, 2), np.float32),
        np.zeros(3, np.int32),
        np.array(["a"]),
        (RATE, np.zeros(3)),
        bytearray(6),
    ],
    ids=["nan", "infinite", "huge", "stereo", "int32", "text", "with its rate", "bytes"],
)
@pytest.mark.parametrize("plain", [False, True])
def test_impossible_chunks(recognizer, chunk, plain):
    stream = recognizer.stream(RATE, plain=plain)
    with pytest.raises(AudioError, match="chunk"):
        stream.push(chunk)
    assert stream.received == 0
    assert stream.push(tiny.speech(2.0))


def test_impossible_streams(recognizer, text_model):
    with pytest.raises(AudioError, match="sample rate"):
        recognizer.stream(0)
    with pytest.raises(AudioError, match="hop"):
        recognizer.stream(RATE, window_s=1.0, hop_s=2.0)
    with pytest.raises(AudioError, match="windows of '2' s"):
        recognizer.stream(RATE, window_s="2")
    with pytest.raises(AudioError, match="did you mean 'neural'"):
        recognizer.stream(RATE, activity="neurl")
    with pytest.raises(ModelError, match="text"):
        Recognizer(read_model(text_model)).stream(RATE)
    stream = recognizer.stream(RATE)
    stream.finish()
    with pytest.raises(AudioError, match="finished"):
        stream.push(np.zeros(1, np.float32))
    assert stream.finish() == []


def test_a_known_speaker_goes_on(recognizer):
    speaker = SpeakerStatistics()
    events_of(recognizer.stream(RATE, activity="energy", speaker=speaker), tiny.speech(4.0))
    count = speaker.get("mel").count
    events_of(recognizer.stream(RATE, activity="energy", speaker=speaker), tiny.speech(4.0))
    assert speaker.get("mel").count == 2 * count


def test_an_utterance_is_answered_by_itself_and_by_its_voice_half_each(recognizer):
    sound = talk(2.0, -2.0, 2.5)
    events = events_of(recognizer.stream(RATE, activity="energy"), sound)
    finals = [event for event in events if event.type == "final"]
    voice = SpeakerStatistics()
    for final in finals:
        start, end = (round(time_s * RATE) for time_s in (max(0.0, final.start_s - MARGIN_S), final.end_s + MARGIN_S))
        clip, _ = inputs.clean_and_extract(recognizer.spec, sound[start:end])
        answers = []
        for speaker in (SpeakerStatistics(), voice):
            inputs.update_speaker(recognizer.spec, clip, speaker)
            answers.append(recognizer.answers([inputs.normalise_clip(recognizer.spec, clip, speaker)])[0])
        expected = dict(zip(recognizer.spec.labels, np.mean(answers, axis=0), strict=True))
        assert dict(final.scores) == pytest.approx(expected, abs=1e-4)
    assert len(finals) == 2
    assert np.abs(answers[0] - answers[1]).max() > 0.01


@pytest.mark.parametrize("is_piped", [False, True])
def test_listen_to_a_file(tmp_path, tiny_model, capsys, monkeypatch, is_piped):
    from intonate.terminal.listen import listen

    path = tmp_path / "clip.wav"
    soundfile.write(path, talk(2.0, -4.5), RATE)
    monkeypatch.setattr("sys.stdin", Mock(buffer=io.BytesIO(path.read_bytes())))
    listen(model=str(tiny_model), file="-" if is_piped else str(path), real_time=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12 + 1
    assert "silence" in lines[-1]


@pytest.mark.parametrize("shown", [False, True])
def test_listen_tells_at_the_end_what_was_not_heard(tmp_path, tiny_model, capsys, shown):
    from intonate.terminal.listen import listen

    path = tmp_path / "cut.wav"
    soundfile.write(path, talk(2.0), RATE)
    path.write_bytes(path.read_bytes()[:-RATE])
    listen(model=str(tiny_model), file=str(path), real_time=False, console=terminal(io.StringIO(), shown))
    assert capsys.readouterr().err == f"intonate: {path} is damaged or cut off: 1.50 s of 2.00 s were heard\n"


def terminal(out, shown=True):
    return Console(file=out, force_terminal=shown, width=80, legacy_windows=False)


def test_listen_draws_bars(tmp_path, tiny_model):
    from intonate.terminal.listen import listen

    path = tmp_path / "clip.wav"
    soundfile.write(path, talk(2.5), RATE)
    out = io.StringIO()
    listen(
        model=str(tiny_model),
        file=str(path),
        real_time=False,
        console=terminal(out),
    )
    assert "█" in out.getvalue()
    assert "level" in out.getvalue()


@pytest.mark.parametrize("shown", [False, True])
def test_listen_writes_down_each_utterance(tmp_path, tiny_model, shown):
    from intonate.terminal.listen import listen
    from intonate.transcripts.recognisers import Transcriber, Word

    lengths_s = []

    def recognise(waveform, language):
        lengths_s.append(len(waveform) / RATE)
        return [Word(f"sentence {len(lengths_s)}", 0.1, 0.5)], "en"

    path = tmp_path / "clip.wav"
    soundfile.write(path, talk(2.0, -1.5, 1.5, -1.0, hiss=0.1), RATE)
    out = io.StringIO()
    listen(
        model=str(tiny_model),
        file=str(path),
        real_time=False,
        console=terminal(out, shown),
        transcribe=Transcriber("tiny", "1", recognise),
    )
    assert len(lengths_s) == 2
    assert lengths_s == pytest.approx([2.0 + 0.3, 1.5 + 0.6], abs=0.2)  # with the margins that there are
    lines = [line for line in out.getvalue().splitlines() if "“sentence" in line]
    assert [line[line.index("“") :].rstrip("\x1b[0m") for line in lines[-2:]] == ["“sentence 1”", "“sentence 2”"]


def test_what_was_heard_outlives_ctrl_c(tiny_model, monkeypatch):
    from intonate.terminal import listen as module

    def interrupted(file, real_time, warnings):
        yield talk(2.0, -1.5, hiss=0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_file_chunks", interrupted)
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        module.listen(model=str(tiny_model), file="clip.wav", console=terminal(out))
    assert re.search(r"0\.\d s – +[12]\.\d s  \w+ ", out.getvalue().splitlines()[-1])


def test_listen_writes_no_words_of_plain_pieces(tiny_model):
    from intonate.errors import IntonateError
    from intonate.terminal.listen import listen
    from intonate.transcripts.recognisers import Transcriber

    transcriber = Transcriber("tiny", "1", lambda waveform, language: ([], "en"))
    with pytest.raises(IntonateError, match="leave out --plain or --transcribe"):
        listen(model=str(tiny_model), file="clip.wav", plain=True, transcribe=transcriber)


def test_listen_to_a_microphone(tiny_model, monkeypatch, capsys):
    """A driver that gives 2 s and is then interrupted."""
    import types

    from intonate.terminal import listen as module

    class InputStream:
        def __init__(self, rate, size, device, channels, dtype, callback):
            for start in range(0, 2 * rate, size):
                callback(np.zeros((size, 1), np.float32), size, start, None)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    class Interrupting:
        def __init__(self):
            self.items = []

        def put(self, item):
            self.items.append(item)

        def get(self):
            if not self.items:
                raise KeyboardInterrupt
            return self.items.pop(0)

    fake = types.SimpleNamespace(
        InputStream=InputStream, PortAudioError=RuntimeError, query_devices=lambda *_: {"default_samplerate": 48_000.0}
    )
    monkeypatch.setattr(module, "_sounddevice", lambda: fake)
    monkeypatch.setattr(module, "queue", types.SimpleNamespace(SimpleQueue=Interrupting))
    with pytest.raises(KeyboardInterrupt):
        module.listen(model=str(tiny_model))
    assert capsys.readouterr().out.count("silence") == 3
