"""Predictions, models, health, figures and documents; who may ask, and what is told to who asks for the impossible."""

import base64
import contextlib
import gzip
import io
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import numpy as np
import pytest
import soundfile
import tiny
from running import Running, form, wait_until, wav

from intonate.errors import IntonateError
from intonate.service import command, protocol
from intonate.service.settings import Settings

TOKEN = "a-token-of-24-characters"


def test_a_prediction_is_that_of_the_recognizer(service, recognizer):
    answer = service.upload(wav(), "folder\\my clip.wav", top_k="2")
    assert answer.status == 200
    assert answer.json["file"] == "my clip.wav"
    assert len(answer.json["scores"]) == 2
    expected = recognizer.predict(wav()).to_dict(2)
    assert answer.json["scores"] == expected["scores"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_other_formats(service, kind):
    assert service.upload(wav(format=kind)).status == 200


def test_what_is_clipped_is_told_once_of_the_upload(service):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(20 * tiny.speech(2.0), -1, 1), 44_100, format="WAV")
    (warning,) = service.upload(buffer.getvalue()).json["warnings"]
    assert re.match(r"the upload is clipped: \d+ % of the samples", warning)


def test_options(service):
    timeline = service.upload(wav(8.0), timeline="true").json
    assert timeline["segments"][-1]["end"] == pytest.approx(8.0)
    assert {entry["label"] for entry in service.upload(wav(), labels="p4-4").json["scores"]} == {
        "anger/disgust",
        "fear/surprise",
        "happiness",
        "sadness",
    }
    assert service.upload(wav(), denoise="yes", model="tiny").status == 200


@pytest.mark.parametrize(
    ("audio", "fields", "status", "says"),
    [
        (b"", {}, 400, "empty|no samples"),
        (b"this is no sound", {}, 400, "upload"),
        (wav()[:30], {}, 400, "upload"),
        (None, {}, 400, "field 'audio'"),
        (wav(), {"top_k": "0"}, 400, "top_k"),
        (wav(), {"top_k": "many"}, 400, "top_k"),
        (wav(), {"top_k": "٢"}, 400, "top_k"),
        (wav(), {"top": "2"}, 400, "known: audio, channels, denoise, file"),
        (wav(), {"timeline": "perhaps"}, 400, "true or false"),
        (wav(), {"labels": "p4"}, 400, "did you mean 'p4-4'"),
        (
            wav(),
            {"text": "hello"},
            400,
            r"or ask the model tiny\+text, which reads it as well \(a service .* started with --model tiny\+text\)",
        ),
        (wav(), {"model": "tinny"}, 404, "did you mean 'tiny'"),
        (wav(), {"topk": "3"}, 400, "did you mean 'top_k'"),
        (wav(), {"text": "x" * 2_000_000}, 400, "form cannot be read"),
    ],
)
def test_every_error_is_one_sentence(service, audio, fields, status, says):
    answer = service.upload(audio, **fields)
    assert answer.status == status
    assert list(answer.json) == ["error", "code"]
    assert re.search(says, answer.json["error"])
    assert "\n" not in answer.json["error"]
    assert "<bytes>" not in answer.json["error"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"", {}, 415),
        (b"x", {"Content-Type": "multipart/form-data"}, 400),
        (b"garbage", {"Content-Type": "multipart/form-data; boundary=x"}, 400),
        (form(b"abc")[0][:-20], form(b"abc")[1], 400),
        (
            b"--x\r\nContent-Disposition: nothing\r\n\r\na\r\n--x--\r\n",
            {"Content-Type": "multipart/form-data; boundary=x"},
            400,
        ),
        (b"a", {"Content-Type": "multipart/form-data; boundary=x; charset=nonsense"}, 400),
    ],
)
def test_bodies_that_are_no_form(service, body, headers, status):
    answer = service.request("POST", "/v1/predictions", body, headers)
    assert answer.status == status
    assert answer.json["error"]


@pytest.mark.parametrize("path", ["/v1/predictions", "/v1/explanations", "/models/tiny"])
@pytest.mark.parametrize("kind", ["application/octet-stream", "audio/wav"])
def test_a_form_under_another_name_is_not_taken_for_a_recording(service, path, kind):
    """Else its fields would be left out in silence, and several recordings be one."""
    answer = service.request("POST", path, form(wav(format="MP3"), format="csv")[0], {"Content-Type": kind})
    assert (answer.status, answer.json["error"]) == (
        400,
        f"the body is a form, and its Content-Type says '{kind}'; leave that header to your client",
    )


def test_a_form_without_its_boundary_gets_a_way_out(service):
    answer = service.request("POST", "/v1/predictions", form(wav())[0], {"Content-Type": "multipart/form-data"})
    assert answer.status == 400
    assert answer.json["error"] == "the Content-Type of the form names no boundary; leave that header to your client"


@pytest.mark.parametrize("path", ["/v1/predictions", "/models/tiny"])
def test_a_body_that_is_packed_on_its_way(service, path):
    headers = {"Content-Type": "audio/wav", "Content-Encoding": "gzip"}
    answer = service.request("POST", path, gzip.compress(wav()), headers)
    assert (answer.status, "Content-Encoding 'gzip' is not taken" in answer.json["error"]) == (415, True)
    assert service.request("POST", path, wav(), headers | {"Content-Encoding": "identity"}).status == 200


@pytest.mark.parametrize(
    "kind", ["binary/octet-stream", "application/ogg", "Application/Ogg; codecs=opus", "video/ogg"]
)
def test_a_body_is_taken_by_each_of_its_names(service, kind):
    answer = service.request("POST", "/v1/predictions", wav(format="OGG"), {"Content-Type": kind})
    assert answer.status == 200


def test_too_large_is_told_before_it_is_sent(service):
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(2**40)}
    answer = service.request("POST", "/v1/predictions", b"", headers)
    assert (answer.status, "64 MiB" in answer.json["error"]) == (413, True)


def test_too_large_without_saying_so(recognizer):
    with Running(recognizer, limits={"upload_bytes": 100_000}) as service:
        chunks = (b"%x\r\n%b\r\n" % (65_536, b"\0" * 65_536) for _ in range(100))
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            raw.sendall(
                b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            )
            head = form(b"")[0].removesuffix(b"\r\n--x--\r\n")
            raw.sendall(b"%x\r\n%b\r\n" % (len(head), head))
            try:
                for chunk in chunks:
                    raw.sendall(chunk)
            except OSError:
                pass
            assert b" 413 " in raw.recv(4096)
        assert service.get("/healthz").status == 200


LARGE = bytes(20 * 2**20)


def test_who_is_still_sending_sees_the_refusal(recognizer):
    """What nobody has read would reset the connection when it is closed, and the answer with it."""
    with Running(recognizer, token=TOKEN, limits={"upload_bytes": 100_000, "uploads": 0}) as service:
        known = {"Authorization": f"Bearer {TOKEN}"}
        for headers, status in (({}, 401), (known, 503)):
            for _ in range(3):
                answer = service.request("POST", "/v1/predictions", LARGE, {"Content-Type": "audio/wav", **headers})
                assert answer.status == status
        assert service.request("POST", "/models/tiny", LARGE, known).status == 503
    with Running(recognizer, limits={"upload_bytes": 100_000}) as service:
        assert service.request("POST", "/models/tiny", LARGE).status == 413
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            raw.sendall(b"POST /models/tiny HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nRIFF")
            assert b"".join(iter(lambda: raw.recv(4096), b"")).startswith(b"HTTP/1.1 413")  # to the end: half is closed
            assert len(door_of(service)), "it counts, as long as it is read"


@pytest.mark.parametrize(("limit", "value", "sent_bytes"), [("LINGER_BYTES", 2**20, 8 * 2**20), ("LINGER_S", 0.3, 4)])
def test_a_refused_upload_is_not_read_without_an_end(recognizer, monkeypatch, limit, value, sent_bytes):
    monkeypatch.setattr(protocol, limit, value)
    with Running(recognizer, limits={"upload_bytes": 100_000}) as service:
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            raw.sendall(b"POST /models/tiny HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n")
            assert raw.recv(4096).startswith(b"HTTP/1.1 413")
            with contextlib.suppress(OSError):
                raw.sendall(bytes(sent_bytes))
            wait_until(lambda: not len(door_of(service)), 5)
        assert service.get("/healthz").status == 200


def door_of(service):
    return service._server.config.http.door


def test_a_file_that_expands_to_hours(recognizer):
    """FLAC of silence: an hour in a few hundred kilobytes."""
    with Running(recognizer, limits={"audio_s": 60.0}) as service:
        file = io.BytesIO()
        soundfile.write(file, np.zeros(3600 * 16_000, np.float32), 16_000, format="FLAC")
        answer = service.upload(file.getvalue())
        assert (answer.status, answer.json["error"]) == (400, "the upload is longer than the limit of 60 s")


def test_a_stalled_upload(recognizer):
    with Running(recognizer, limits={"stall_s": 0.3}) as service:
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            body = form(wav())[0]
            raw.sendall(
                b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n%b" % (len(body), body[:100])
            )
            raw.settimeout(10)
            assert b" 408 " in raw.recv(4096)
        assert service.upload(wav()).status == 200
        wait_until(lambda: not service.state.requests)


def test_a_client_that_leaves_in_the_middle(service):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            raw.sendall(
                b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
    wait_until(lambda: not service.state.requests)
    assert service.upload(wav()).status == 200


def test_a_full_queue_says_come_back(recognizer):
    with Running(recognizer, limits={"uploads": 2, "stall_s": 3.0}) as service:
        waiting = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(2)]
        for raw in waiting:
            raw.sendall(
                b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
        wait_until(lambda: len(service.state.requests) == 2)
        answer = service.upload(wav())
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        ready = service.get("/readyz")
        assert (ready.status, int(ready.headers["retry-after"]) >= 1) == (503, True)
        for raw in waiting:
            raw.close()
        wait_until(lambda: service.upload(wav()).status == 200)


def test_many_at_once(service):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.upload(wav()).status, range(40)))
    assert answers == [200] * 40


def test_short_uploads_are_not_behind_long_ones(recognizer, monkeypatch):
    """The header of a long one does not tell its length: it is found out by decoding, and then waits elsewhere."""
    from intonate.service import predictions

    predict, go_on, waiting = predictions._predict, threading.Event(), []

    def slow(audio, longest_s, options):
        if longest_s > predictions.SHORT_S:
            waiting.append(longest_s)
            assert go_on.wait(30)
        return predict(audio, longest_s, options)

    monkeypatch.setattr(predictions, "_predict", slow)
    file = io.BytesIO()
    soundfile.write(file, np.zeros(90 * 16_000, np.float32), 16_000, format="FLAC")
    with Running(recognizer) as service, ThreadPoolExecutor(4) as pool:
        long = [pool.submit(service.upload, file.getvalue()) for _ in range(4)]
        wait_until(lambda: waiting)
        try:
            assert [service.upload(wav()).status for _ in range(3)] == [200] * 3
            assert not any(one.done() for one in long)
        finally:
            go_on.set()
        assert [one.result().json["label"] for one in long] == ["silence"] * 4


def test_nothing_is_written_to_disk(service, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_, **__: pytest.fail("a file was opened"))
    big = io.BytesIO()
    soundfile.write(big, np.zeros(40 * 48_000, np.float32), 48_000, format="WAV", subtype="PCM_16")
    assert len(big.getvalue()) > 3_000_000
    assert service.upload(big.getvalue()).json["label"] == "silence"
    assert list(tmp_path.iterdir()) == []


def test_models(service):
    found = service.get("/v1/models").json
    assert found["default"] == "tiny"
    assert found["models"][0]["labels"] == list(tiny.LABELS)
    assert found["models"][0]["licence"] == "CC-BY-4.0"
    assert found["models"][0]["abstain_below"] == tiny.spec().abstain_below
    assert found["limits"]["upload_bytes"] == 64 * 2**20
    assert found["token_required"] is False


def test_health_figures_and_documents(service):
    assert service.get("/healthz").body == b"ok"
    assert service.get("/readyz").status == 200
    service.upload(wav())
    wait_until(lambda: b'intonate_predictions_total{status="200"}' in service.get("/metrics").body)
    docs = service.get("/docs")
    assert docs.headers["content-type"].startswith("text/html")
    assert b"/v1/predictions" in docs.body
    address = f"http://127.0.0.1:{service.port}/".encode()
    assert docs.body.count(address + b"v1/") == docs.body.count(b"http://") == 3
    assert b"<script" not in docs.body
    openapi = service.get("/openapi.json").json
    described = openapi["paths"]["/v1/predictions"]["post"]
    assert "audio" in described["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert described["responses"]["200"]["content"]["application/json"]["example"]["label"]
    assert "503" in described["responses"]


@pytest.mark.parametrize(("path", "count"), [("/", 6), ("/docs", 3)])
def test_the_pages_work_behind_a_path_prefix(service, path, count):
    """A proxy takes the prefix away: what a page names must be beside it, wherever it is."""
    named = re.findall(r'(?:href|src)="([^"#]+)"', service.get(path).body.decode())
    assert len(named) == count
    for address in named:
        assert urljoin("http://proxy/voice" + path, address).startswith("http://proxy/voice/")
        assert service.get(urljoin(path, address)).status == 200


def test_unknown_addresses_and_methods(service):
    assert service.get("/nothing").json["error"].startswith("there is nothing")
    assert service.request("DELETE", "/v1/models").status == 405
    assert service.get("/static/../app.py").status == 404
    assert service.get("/static/%2e%2e/app.py").status == 404


@pytest.mark.parametrize(
    "request_bytes", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"]
)
def test_what_is_no_http(service, request_bytes):
    with socket.create_connection(("127.0.0.1", service.port)) as raw:
        raw.sendall(request_bytes)
        head, _, body = b"".join(iter(lambda: raw.recv(4096), b"")).partition(b"\r\n\r\n")
    assert (head[:12], json.loads(body)["code"]) == (b"HTTP/1.1 400", "bad_request")


def test_a_slash_at_the_end_of_an_address_plays_no_part(service):
    for path in ("/v1/models", "/metrics", "/healthz"):
        assert service.get(f"{path}/").status == 200
    answer = service.request("POST", "/v1/predictions/?top_k=2", wav(), {"Content-Type": "audio/wav"})
    assert (answer.status, len(answer.json["scores"])) == (200, 2)
    assert service.request("POST", "/models/tiny/", wav()).status == 200
    page = service.get("/docs/")  # what it names is beside it without the slash
    assert (page.status, urljoin("http://proxy/voice/docs/", page.headers["location"])) == (
        307,
        "http://proxy/voice/docs",
    )
    with Running(service.settings.models["tiny"], token=TOKEN) as guarded:
        for path in ("/v1/models/", "/v1/models//", "/metrics/"):
            assert guarded.get(path).status == 401


def test_a_stream_without_its_upgrade_is_told_so(recognizer):
    """A proxy that takes the headers away takes the subprotocol with the token away, too."""
    with Running(recognizer, token=TOKEN) as service:
        answer = service.get("/v1/stream?rate=16000")
        assert (answer.status, answer.headers["upgrade"], answer.json["code"]) == (426, "websocket", "websocket")
        assert "a proxy in between must pass on" in answer.json["error"]


def test_security_headers(service):
    for path in ("/healthz", "/docs", "/v1/models", "/nothing"):
        headers = service.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "microphone=(self)" in headers["permissions-policy"]
        assert "server" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "localhost.evil", "192.168.1.5"]
)
def test_other_names_are_refused_on_loopback(service, host):
    assert service.get("/v1/models", Host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:8000", "LOCALHOST:8000"])
def test_names_of_loopback(service, host):
    assert service.get("/v1/models", Host=host).status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8000", 200),
        ("https://localhost:8000", 200),
        ("http://localhost:9000", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("file://localhost:8000", 403),
    ],
)
def test_origins(service, origin, status):
    assert service.get("/v1/models", Host="localhost:8000", Origin=origin).status == status


def test_a_page_of_another_origin_can_read_the_answers(recognizer):
    page = "https://app.example"
    with Running(recognizer, allowed_origins=(page,), token=TOKEN) as service:
        asking = {"Origin": page, "Access-Control-Request-Method": "POST"}
        allowed = service.request("OPTIONS", "/v1/predictions", headers=asking)
        assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, page)
        assert "Authorization" in allowed.headers["access-control-allow-headers"]
        stranger = service.request("OPTIONS", "/v1/predictions", headers=asking | {"Origin": "https://other.example"})
        assert stranger.status == 403
        assert "access-control-allow-origin" not in stranger.headers
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {TOKEN}"}, 200)):
            answer = service.get("/v1/models", Origin=page, **headers)
            assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, page)
            assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-origin" not in service.get("/healthz").headers


def test_head_and_allow(service):
    head = service.request("HEAD", "/v1/models")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(service.get("/v1/models").body))
    wrong = service.request("DELETE", "/v1/predictions")
    assert (wrong.status, wrong.headers["allow"], wrong.json["code"]) == (405, "POST", "method")
    for path in ("/healthz", "/v1/models", "/", "/static/app.js"):  # where a client of Hugging Face's may end, too
        wrong = service.request("POST", path, wav())
        assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD")
        assert "takes GET, HEAD, not POST; recordings go to /v1/predictions or /models/NAME" in wrong.json["error"]


def test_a_bare_body_with_its_options_in_the_query(service):
    headers = {"Content-Type": "audio/wav"}
    answer = service.request("POST", "/v1/predictions?top_k=2", wav(), headers)
    assert answer.json == service.upload(wav(), "", top_k="2").json
    for query, says in (("topk=2", "did you mean 'top_k'"), ("top_k=2&top_k=3", "twice")):
        refused = service.request("POST", f"/v1/predictions?{query}", wav(), headers)
        assert (refused.status, says in refused.json["error"]) == (400, True)


def test_file_as_well_as_audio(service):
    body, headers = form(wav())
    answer = service.request("POST", "/v1/predictions", body.replace(b'name="audio"', b'name="file"'), headers)
    assert answer.json == service.upload(wav()).json


def test_several_recordings_in_one_request(service):
    body, headers = form(wav(), "one.wav")
    second, _ = form(b"no sound", "two.wav")
    both = body.removesuffix(b"--x--\r\n") + second
    answers = service.request("POST", "/v1/predictions", both, headers).json
    assert answers[0] == service.upload(wav(), "one.wav").json
    assert answers[1]["file"] == "two.wav"
    assert (set(answers[1]), answers[1]["code"]) == ({"file", "error", "code"}, "bad_request")
    rows = service.request("POST", "/v1/predictions?format=csv", both, headers).body.decode().splitlines()
    assert len(rows) == 3
    assert service.request("POST", "/v1/predictions?format=srt", both, headers).status == 400
    rttm = service.request("POST", "/v1/predictions?format=rttm", both, headers).body.decode()
    assert ";; two.wav: the upload is not audio" in rttm


def test_sound_without_a_header_gets_a_way_out(service):
    sound = bytes(range(256)) * 90
    assert "in the field raw, e.g. raw=ulaw:8000" in service.upload(sound, "call.ulaw").json["error"]
    for media_type, guess in (
        ("audio/basic", "ulaw:8000"),
        ("audio/PCMU;rate=8000", "ulaw:8000"),
        ("audio/pcma", "alaw:8000"),
        ("audio/L16; rate=16000", "s16be:16000 or s16le:16000"),
        ("audio/l16;channels=2;rate=8000", "s16be:8000:2 or s16le:8000:2"),
    ):
        error = service.request("POST", "/v1/predictions", sound, {"Content-Type": media_type}).json["error"]
        assert error.endswith(f"in the field raw, e.g. raw={guess}")
    assert "raw=" not in service.request("POST", "/v1/predictions", sound, {"Content-Type": "audio/wav"}).json["error"]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("filename*=utf-8''Gr%C3%BC%C3%9Fe%22.wav", 'Grüße".wav'),
        ("filename=\"plain.wav\"; filename*=UTF-8'de'Gr%C3%BC%C3%9Fe.wav", "Grüße.wav"),
        ("filename*=iso-8859-1''Gr%FC%DFe.wav", "Grüße.wav"),
        ('filename="one %22two%22%0D%0A 100%25.wav"', 'one "two"\r\n 100%25.wav'),  # as browsers escape
        ('filename="Grüße.wav"', "Grüße.wav"),
    ],
)
def test_names_of_files(service, disposition, name):
    body, headers = form(wav(), "NAME")
    body = body.replace(b'filename="NAME"', disposition.encode())
    answer = service.request("POST", "/v1/predictions", body, headers)
    assert (answer.status, answer.json.get("file")) == (200, name)


@pytest.mark.parametrize(
    ("style", "kind", "begins"),
    [("srt", "application/x-subrip", "1\n00:00:0"), ("vtt", "text/vtt", "WEBVTT\n"), ("csv", "text/csv", "file,")],
)
def test_other_formats_of_the_answer(service, style, kind, begins):
    answer = service.upload(wav(8.0), format=style)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.body.decode().startswith(begins)
    assert "did you mean 'srt'" in service.upload(wav(), format="str").json["error"]


def test_channels_and_speakers(service, recognizer):
    file = io.BytesIO()
    one, two = tiny.speech(3.0), np.zeros(48_000, np.float32)
    soundfile.write(file, np.stack([one, two], axis=1), 16_000, format="WAV")
    expected = recognizer.predict(file.getvalue(), channels="each").to_dict()
    answer = service.upload(file.getvalue(), "", channels="each").json
    assert answer["segments"] == expected["segments"]
    assert "channels" in service.upload(wav(), channels="middle").json["error"]
    assert "speakers" in service.upload(wav(), speakers="many").json["error"]
    assert service.upload(wav(), speakers="auto").status == 200
    assert "denoise" in service.upload(file.getvalue(), channels="left", denoise="1").json["error"]


def test_hugging_faces_client(service, recognizer):
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    client = hub.InferenceClient(f"http://127.0.0.1:{service.port}/models/tiny")
    found = client.audio_classification(wav())
    expected = recognizer.predict(wav()).to_dict()["scores"]
    assert [{"label": one.label, "score": one.score} for one in found] == expected
    assert len(client.audio_classification(wav(), top_k=2)) == 2
    assert len(service.request("POST", "/models/tiny?top_k=2", wav()).json) == 2
    inputs = base64.b64encode(wav())
    message = {"inputs": inputs.decode(), "parameters": {"top_k": None}}
    kind = {"Content-Type": "application/json"}
    for top_k, count in ((2, 2), (None, len(expected))):
        answer = service.request("POST", "/models/tiny", json.dumps(message | {"top_k": top_k}).encode(), kind)
        assert len(answer.json) == count
    assert "did you mean 'top_k'" in service.request("POST", "/models/tiny?topk=2", wav()).json["error"]
    for written in (base64.encodebytes(wav()), base64.urlsafe_b64encode(wav()), b"data:audio/wav;base64," + inputs):
        answer = service.request("POST", "/models/tiny", json.dumps({"inputs": written.decode()}).encode(), kind)
        assert len(answer.json) == len(expected)
    for function, status in (("softmax", 200), ("none", 400), ("sigmoid", 400), (3, 400)):
        asked = message | {"parameters": {"function_to_apply": function}}
        assert service.request("POST", "/models/tiny", json.dumps(asked).encode(), kind).status == status
    refused = service.request("POST", "/models/tiny", *form(wav()))
    assert (refused.status, refused.json["error"][:30]) == (415, "a form is not taken here: send")
    assert service.request("POST", "/models/tinny", wav()).status == 404
    for body, says in (
        *((body, "no such JSON") for body in (b"[]", b'{"inputs": 3}', b"{}")),
        *(
            (body, "inputs is no base64")
            for body in (b'{"inputs": "!"}', b'{"inputs": "abcde"}', b'{"inputs": "\xc3\xa4"}')
        ),
    ):
        refused = service.request("POST", "/models/tiny", body, kind)
        assert (refused.status, refused.json["code"], says in refused.json["error"]) == (400, "bad_request", True)


def test_the_shape_of_hugging_face_needs_the_token_too(recognizer):
    with Running(recognizer, token=TOKEN) as service:
        assert service.request("POST", "/models/tiny", wav()).status == 401


def test_allowed_names_and_pages(recognizer):
    options = {"allowed_hosts": ("voice.example",), "allowed_origins": ("https://app.example",)}
    with Running(recognizer, **options) as service:
        assert service.get("/v1/models", Host="voice.example").status == 200
        assert service.get("/v1/models", Origin="https://app.example").status == 200
        assert service.get("/v1/models", Origin="https://other.example").status == 403


def test_token(recognizer):
    with Running(recognizer, token=TOKEN) as service:
        for path in ("/v1/models", "/metrics"):
            refused = service.get(path)
            assert refused.status == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert service.get(path, Authorization="Bearer wrong").status == 401
            assert service.get(path, Authorization=f"Bearer {TOKEN}").status == 200
        assert service.get("/healthz").status == 200
        assert service.get("/docs").status == 200
        assert service.upload(wav()).status == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "voice.example"])
def test_no_service_for_strangers(recognizer, host):
    with pytest.raises(IntonateError, match="--token"):
        Settings({"tiny": recognizer}, host)
    assert Settings({"tiny": recognizer}, host, TOKEN).is_allowed_host("anything:8000")


@pytest.mark.parametrize("host", ["127.0.0.2", "127.1", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_on_loopback_it_goes_by_the_address_that_it_prints(recognizer, host, capsys):
    command._announce(host, 8000, False)
    printed = re.search(r"http://(\S+)", capsys.readouterr().out)[1]
    settings = Settings({"tiny": recognizer}, host)
    assert settings.is_allowed_host(printed)
    assert settings.is_allowed_host("localhost:8000")
    assert not settings.is_allowed_host("127.0.0.3:8000")
    assert not settings.is_allowed_host("evil.example:8000")


@pytest.mark.parametrize("token", ["short", "with a space and more", "ümlaut-and-more-letters", "x" * 300])
def test_tokens_that_cannot_travel(recognizer, token):
    with pytest.raises(IntonateError, match="16 to 256"):
        Settings({"tiny": recognizer}, token=token)


def test_errors_of_ours_are_not_shown(recognizer, monkeypatch):
    with Running(recognizer) as service:
        monkeypatch.setattr("intonate.service.predictions._predict", lambda *_: 1 / 0)
        answer = service.upload(wav())
        assert answer.status == 500
        assert "operator" in answer.json["error"]
        assert "zero" not in json.dumps(answer.json)
        wait_until(lambda: not service.state.requests)
