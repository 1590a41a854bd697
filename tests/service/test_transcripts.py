"""Words in the service: with the answer to a file, and after the answers of a stream, which never wait for them."""

import threading
from concurrent.futures import Future

import numpy as np
import pytest
from running import Running, finish, receive
from test_http import wav
from test_stream import QUERY, RATE, pcm, play

from intonate.transcripts.recognisers import Transcriber, Word
from intonate.transcripts.stream_transcriber import LONGEST_S, QUEUE_LIMIT, StreamTranscriber

SENTENCE = "kids are talking"
QUIET = np.zeros(2 * RATE, "<i2").tobytes()


def sentence_transcriber(gate=None):
    def recognise(waveform, language):
        if gate is not None and not gate.wait(30):
            raise RuntimeError("the gate stayed shut")
        return [Word(word, number / 3, (number + 1) / 3) for number, word in enumerate(SENTENCE.split())], "en"

    return Transcriber("whisper:/some/folder", "1", recognise)


@pytest.fixture
def gate():
    """Words come only when it is open; it is opened at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


def without(events, *dropped):
    return [{key: value for key, value in event.items() if key not in dropped} for event in events]


@pytest.mark.usefixtures("every_sound_is_speech")
def test_a_file_has_its_words_unless_they_are_not_wanted(recognizer):
    with Running(recognizer, transcriber=sentence_transcriber()) as service:
        answer = service.upload(wav()).json
        assert (answer["transcript"], answer["segments"][0]["text"]) == (SENTENCE, SENTENCE)
        assert service.upload(wav(), transcribe="true").json == answer
        assert service.upload(wav(), transcribe="false").json["transcript"] == ""
        assert service.get("/v1/models").json["transcriber"] == "whisper"  # and no folder of the machine


def test_without_a_transcriber_there_are_no_words(service):
    assert service.upload(wav()).json["transcript"] == ""
    assert service.get("/v1/models").json["transcriber"] is None
    refused = service.upload(wav(), transcribe="true")
    assert refused.status == 400
    assert "--transcribe" in refused.json["error"]
    assert {event["type"] for event in play(service, pcm())} == {"segment", "final"}


def test_files_without_words_do_not_wait_for_those_with(recognizer, gate):
    with Running(recognizer, transcriber=sentence_transcriber(gate)) as service:
        slow = threading.Thread(target=service.upload, args=(wav(),))
        slow.start()
        assert service.upload(wav(), transcribe="false").status == 200
        assert slow.is_alive()
        gate.set()
        slow.join(30)
        assert not slow.is_alive()


def test_words_of_a_stream_come_beside_its_answers(recognizer, service):
    data = pcm() + QUIET + pcm() + QUIET
    alone = play(service, data)
    with Running(recognizer, transcriber=sentence_transcriber()) as other:
        events = play(other, data)
    finals = [event for event in events if event["type"] == "final"]
    words = [event for event in events if event["type"] == "transcript"]
    assert [(word["start"], word["end"]) for word in words] == [(final["start"], final["end"]) for final in finals]
    assert {word["transcript"] for word in words} == {SENTENCE}
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    rest = [event for event in events if event["type"] != "transcript"]
    assert without(rest, "seq", "received") == without(alone, "seq", "received")


def test_answers_do_not_wait_and_words_survive_a_lost_connection(recognizer, gate):
    with Running(recognizer, transcriber=sentence_transcriber(gate)) as service:
        with service.stream(QUERY) as ws:
            ready = receive(ws)
            ws.send(pcm() + QUIET)
            event = receive(ws)
            while event["type"] != "final":  # it comes although no word has been written down
                event = receive(ws)
        gate.set()
        with service.stream(f"{QUERY}&session={ready['session']}&seq={event['seq']}") as ws:
            assert receive(ws)["resumed"]
            events = finish(ws)
    assert [event["transcript"] for event in events if event["type"] == "transcript"] == [SENTENCE]


def test_a_recogniser_that_fails_ends_no_session(recognizer):
    def broken(waveform, language):
        raise RuntimeError("no")

    with Running(recognizer, transcriber=Transcriber("broken", "1", broken)) as service:
        assert {event["type"] for event in play(service, pcm())} == {"segment", "final"}


def test_what_waits_is_bounded():
    sounds = []

    def submit(sound):
        sounds.append(sound[0])
        return Future()

    stream_transcriber = StreamTranscriber(submit, 100)
    for _ in range(200):
        stream_transcriber.push(np.arange(100, dtype=np.int16))
    stream_transcriber.submit_utterance(198.5, 199.0)
    np.testing.assert_array_equal(sounds[0], np.r_[20:100, 0:30])
    stream_transcriber.submit_utterance(0.0, 200.0)
    assert LONGEST_S * 100 <= len(sounds[1]) <= (LONGEST_S + 1) * 100
    for _ in range(2 * QUEUE_LIMIT):
        stream_transcriber.submit_utterance(199.0, 199.5)
    assert len(sounds) == QUEUE_LIMIT
