"""`POST /v1/explanations`: what moves an answer, within bounds, and only as long as somebody waits for it."""

import base64
import contextlib
import http.client
import io
import threading
import time

import numpy as np
import pytest
import soundfile
from running import Running, form, wav
from test_description import Described

from intonate.cancellation import WorkCancelled, check
from intonate.explanation import words
from intonate.explanation.explain import explain
from intonate.service import explanations


def ask(service, audio, **fields):
    return service.request("POST", "/v1/explanations", *form(audio, **fields))


def test_the_answer_is_that_of_the_library(service, recognizer):
    answer = Described(service).check(ask(service, wav(2.0)), "/v1/explanations").json
    assert answer.pop("file") == "clip.wav"
    spectrum = answer.pop("spectrum")
    expected = words.to_dict(explain(recognizer, wav(2.0)))
    expected.pop("file")
    assert answer == expected
    levels = np.frombuffer(base64.b64decode(spectrum["levels"]), np.uint8)
    assert levels.size == spectrum["rows"] * spectrum["columns"]
    # The voice of `tiny.speech` lies low.
    image = levels.reshape(spectrum["rows"], spectrum["columns"])
    assert image[-explanations.ROWS // 3 :].mean() > image[: explanations.ROWS // 3].mean()


def test_a_stretch_and_a_label_can_be_chosen(service):
    answer = ask(service, wav(3.0), label="sad", start="0.5", end="2").json
    assert (answer["explained"], answer["start"], answer["end"]) == ("sad", 0.5, 2.0)
    bare = service.request(
        "POST", "/v1/explanations?label=sad&start=0.5&end=2", wav(3.0), {"Content-Type": "audio/wav"}
    )
    assert bare.json["sentences"] == answer["sentences"]


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"model": "other"}, 404, "model 'other' is not served here"),
        ({"label": "hapy"}, 400, "did you mean 'happy'"),
        ({"start": "now"}, 400, "field start='now' is not a number of seconds"),
        ({"start": "-1"}, 400, "is not a number of seconds"),
        ({"end": "nan"}, 400, "field end='nan' is not a number of seconds"),
        ({"start": "2", "end": "1"}, 400, "the end, 1 s, does not lie after the start, 2 s"),
        ({"timeline": "1"}, 400, "field 'timeline' is not known"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(service, fields, status, sentence):
    answer = Described(service).check(ask(service, wav(3.0), **fields), "/v1/explanations")
    assert answer.status == status
    assert sentence in answer.json["error"]


def test_silence_and_noise_of_bytes_are_refused(service):
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(16_000), 16_000, format="WAV")
    answer = ask(service, silence.getvalue())
    assert (answer.status, "nobody speaks" in answer.json["error"]) == (400, True)
    assert answer.json["error"].startswith("the sound: ")
    assert ask(service, b"no sound").status == 400


def test_a_long_recording_needs_a_stretch(service):
    answer = ask(service, wav(explanations.LONGEST_S + 1))
    assert answer.status == 400
    assert "give a shorter stretch by start and end" in answer.json["error"]


def test_it_is_admitted_as_an_upload_is(recognizer):
    with Running(recognizer, limits={"uploads": 0}) as service:
        assert ask(service, wav()).status == 503
    with Running(recognizer, token="a-token-that-is-long") as service:
        assert ask(service, wav()).status == 401


def test_the_work_ends_when_its_client_leaves(recognizer, monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def endless(*_):
        begun.set()
        with contextlib.suppress(WorkCancelled):
            while True:
                check()
                time.sleep(0.01)
        ended.set()
        raise WorkCancelled

    monkeypatch.setattr(explanations, "_explain", endless)
    with Running(recognizer) as service:
        body, headers = form(wav())
        client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        client.request("POST", "/v1/explanations", body, headers)
        assert begun.wait(20)
        assert not ended.is_set()
        client.close()
        assert ended.wait(20)


def test_an_explanation_itself_can_be_called_off(recognizer):
    """Not only between requests: somewhere among its 180 answers."""
    from intonate.cancellation import cancellable

    cancelled = threading.Event()

    class Counting:
        spec, count = recognizer.spec, 0

        def predict(self, *args, **options):
            return recognizer.predict(*args, **options)

        def predict_many(self, *args, **options):
            for answer in recognizer.predict_many(*args, **options):
                self.count += 1
                if self.count == 20:
                    cancelled.set()
                yield answer

    counting = Counting()
    with cancellable(cancelled), pytest.raises(WorkCancelled):
        explain(counting, wav(2.0))
    assert counting.count < 40
