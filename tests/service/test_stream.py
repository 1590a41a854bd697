"""The WebSocket: what is said, what is answered, and everything that a client or a network can do wrong."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tiny
from running import Running, closing, finish, receive, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

SOURCE = Path(__file__).parents[2] / "src"
TOKEN = "a-token-of-24-characters"
RATE = 16_000
QUERY = f"rate={RATE}&activity=energy"


def pcm(seconds=3.0, rate=RATE):
    return (tiny.speech(seconds, rate) * 32767).astype("<i2").tobytes()


def heard(events):
    """Events without what depends on when they were sent."""
    return [{key: value for key, value in event.items() if key != "received"} for event in events]


def play(service, data, query=QUERY, chunk=3200):
    with service.stream(query) as ws:
        ready = receive(ws)
        assert ready["type"] == "ready"
        for start in range(0, len(data), chunk):
            ws.send(data[start : start + chunk])
        return finish(ws)


def check_alive(service):
    assert [event["seq"] for event in play(service, pcm(1.5))] == [1, 2, 3]


def test_ready_segments_final_done(service, recognizer):
    with service.stream(QUERY) as ws:
        ready = receive(ws)
        assert ready["resumed"] is False
        assert (ready["received"], ready["rate"], ready["window"], ready["hop"]) == (0, RATE, 2.0, 0.5)
        assert ready["labels"] == list(tiny.LABELS)
        ws.send('{"type": "ping", "t": 42}')
        assert receive(ws) == {"type": "pong", "t": 42}
        ws.send(pcm(2.2))
        first = receive(ws)
        assert first["type"] == "segment"
        assert first["model"] == "tiny"
        events = [first, *finish(ws)]
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=5)
        assert closed.value.rcvd.code == 1000
    stream = recognizer.stream(RATE, activity="energy")
    samples = np.frombuffer(pcm(2.2), "<i2")
    expected = [event.to_dict() for event in [*stream.push(samples), *stream.finish()]]
    assert [{key: event[key] for key in shape} for event, shape in zip(events, expected, strict=True)] == expected
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("chunk", [1, 7, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_chunks_of_any_size(service, chunk):
    """One byte at a time cuts every sample in two; ten megabytes are five minutes at once."""
    data = pcm(1.2) if chunk < 10_000_000 else (np.tile(np.frombuffer(pcm(4.0), "<i2"), 79)[:5_000_000]).tobytes()
    events = play(service, data, chunk=chunk)
    segments = [event for event in events if event["type"] == "segment"]
    assert segments[-1]["end"] == pytest.approx(len(data) / 2 / RATE, abs=0.001)
    assert all(one["end"] == other["start"] for one, other in itertools.pairwise(segments))


def test_float_samples_and_other_rates(service):
    floats = tiny.speech(2.0, 48_000).astype("<f4").tobytes()
    events = play(service, floats, "rate=48000&format=f32le&activity=energy", 40_001)
    assert events[0]["label"] in tiny.LABELS


def test_plain_and_merged(service):
    events = play(service, pcm(4.5), f"rate={RATE}&plain=1&labels=p4-4")
    assert [event["type"] for event in events] == ["segment"] * 3
    assert "anger/disgust" in {score["label"] for score in events[0]["scores"]}


def test_models_side_by_side(recognizer):
    with Running(recognizer, recognizer) as service:
        events = play(service, pcm(2.0), f"{QUERY}&model=tiny&model=tiny1")
        assert [event["model"] for event in events] == ["tiny", "tiny1"] * 3 + ["tiny", "tiny1"]
        assert [event["seq"] for event in events] == list(range(1, 9))


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("rate=12", 4400, "sample rate"),
        ("rate=abc", 4400, "rate='abc'"),
        ("rate=nan", 4400, "rate"),
        ("rate=1e300", 4400, "rate"),
        ("format=mp3", 4400, "format"),
        ("format=s16", 4400, "did you mean 's16le'"),
        ("model=tinny", 4404, "did you mean 'tiny'"),
        ("model=a&model=b&model=c&model=d&model=e", 4400, "4 at most"),
        ("window=0.2", 4400, "hop"),
        ("window=1000", 4400, "window"),
        ("labels=p4", 4400, "did you mean 'p4-4'"),
        ("activity=none", 4400, "activity"),
        ("rate=16000.5", 4400, "rate=16000.5 is not a whole number"),
        ("rate=-1", 4400, "the sample rate of the stream is -1"),
        ("rate=16_000", 4400, "is not a number that makes sense"),
        ("rate=%2016000", 4400, "is not a number that makes sense"),
        ("rate=%D9%A1%D9%A6%D9%A0%D9%A0%D9%A0", 4400, "is not a number that makes sense"),
        ("window=%D9%A2", 4400, "window"),
        ("window=-", 4400, "window"),
        ("session=x&seq=-1", 4400, "seq=-1 is below 0"),
        ("seq=1", 4400, "'seq' plays no part without a session"),
        ("rate=16000&rate=8000", 4400, "twice"),
        ("plain=perhaps", 4400, "plain"),
        ("plain=1&activity=energy", 4400, "'activity' plays no part with plain=1"),
        ("plain=1&hop=abc", 4400, "'hop' plays no part with plain=1"),
        ("rates=16000", 4400, "did you mean 'rate'"),
    ],
)
def test_impossible_queries(service, query, code, says):
    with service.stream(query) as ws:
        error, closed = closing(ws)
    assert closed == code
    assert says in error["error"]
    check_alive(service)


MEANINGLESS = ["hello", "[]", "3", '{"type": "finnish"}', "{}", "[" * 100_000]


@pytest.mark.parametrize("text", [*MEANINGLESS, '{"type": "ping", "t": NaN}', '{"type": "ping", "t": 1e999}'])
def test_messages_that_mean_nothing(service, text):
    with service.stream(QUERY) as ws:
        ws.send(text)
        error, closed = closing(ws)
    assert (closed, error["code"]) == (4400, "message")
    check_alive(service)


def test_samples_that_are_no_numbers(service):
    with service.stream(f"{QUERY}&format=f32le") as ws:
        ws.send(np.full(4_000, np.nan, "<f4").tobytes())  # a quarter of a second: less waits for more
        error, closed = closing(ws)
    assert (closed, error["code"]) == (4400, "audio")
    assert "finite" in error["error"]
    check_alive(service)


def test_floats_sent_as_integers_after_the_silence_of_a_microphone(service):
    sound = np.concatenate([np.zeros(RATE // 2), tiny.speech(1.0)]).astype("<f4").tobytes()
    with service.stream(QUERY) as ws:
        for start in range(0, len(sound), 3203):
            ws.send(sound[start : start + 3203])
        error, closed = closing(ws)
    assert (closed, error["code"]) == (4400, "audio")
    assert "say format=f32le" in error["error"]


def handshake(service):
    raw = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    raw.sendall(
        f"GET /v1/stream?{QUERY} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b"101" in raw.recv(4096)
    return raw


@pytest.mark.parametrize(
    "frame",
    [
        b"\x82\x05hello",  # not masked
        b"\xf2\x80\x00\x00\x00\x00",  # reserved bits
        b"\x83\x80\x00\x00\x00\x00",  # an opcode that does not exist
        b"\x80\x80\x00\x00\x00\x00",  # goes on with nothing
        b"\x09\x80\x00\x00\x00\x00",  # a ping in pieces
        b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # claims 2^63 bytes
        b"\x81\x82\x00\x00\x00\x00\xff\xfe",  # text that is no UTF-8
        b"GET / HTTP/1.1\r\n\r\n",
        os.urandom(64),
        b"\x82\xfe",  # half a header, then gone
    ],
    ids=["unmasked", "reserved", "opcode", "continuation", "ping", "huge", "utf-8", "http", "random", "half"],
)
def test_malformed_frames(service, frame):
    raw = handshake(service)
    raw.sendall(frame)
    raw.settimeout(0.3)
    try:
        while raw.recv(4096):
            pass
    except OSError:
        pass
    raw.close()
    check_alive(service)


def test_a_message_that_is_too_large(recognizer):
    with Running(recognizer, limits={"message_bytes": 100_000}) as service:
        with service.stream(QUERY) as ws:
            ws.send(b"\0" * 100_001)
            assert closing(ws)[1] == 1009
        check_alive(service)


def test_a_session_that_is_too_long(recognizer):
    with Running(recognizer, limits={"session_s": 1.0}) as service, service.stream(QUERY) as ws:
        ws.send(pcm(1.3))
        error, closed = closing(ws)
    assert (closed, error["code"]) == (4413, "too_long")


def test_a_client_that_says_nothing(recognizer):
    with Running(recognizer, limits={"idle_s": 0.2}) as service, service.stream(QUERY) as ws:
        error, closed = closing(ws)
    assert (closed, error["code"]) == (4408, "idle")


def test_a_client_that_says_little_is_not_idle(recognizer):
    with Running(recognizer, limits={"idle_s": 0.4}) as service, service.stream(QUERY) as ws:
        receive(ws)
        for _ in range(10):
            ws.send(pcm(0.02))
            time.sleep(0.1)
        ws.send('{"type": "finish"}')
        assert receive(ws)["type"] == "segment"
        assert closing(ws)[1] == 1000


def test_many_short_messages_at_once(recognizer):
    sound = pcm(20.0)
    with Running(recognizer) as service, service.stream(QUERY) as ws:
        receive(ws)
        for start in range(0, len(sound), 320):
            ws.send(sound[start : start + 320])
        ws.send('{"type": "finish"}')
        events = []
        while (event := receive(ws))["type"] != "done":
            events.append(event)
    assert events[-1]["received"] == len(sound) // 2
    assert [event["end"] for event in events if event["type"] == "segment"] == [1 + 0.5 * k for k in range(39)]


def test_more_connections_than_it_takes(recognizer):
    with Running(recognizer, limits={"connections": 1}) as service:
        with service.stream(QUERY) as first:
            receive(first)
            with service.stream(QUERY) as second:
                error, closed = closing(second)
            assert (closed, error["code"]) == (4429, "full")
            assert service.get("/readyz").status == 503
            first.send(pcm(1.0))
            assert receive(first)["type"] == "segment"
        wait_until(lambda: not service.state.streams)
        check_alive(service)


def test_a_client_that_stops_reading_delays_nobody(recognizer):
    """It is closed with a clear code, and meanwhile the others are answered."""
    with Running(recognizer, limits={"send_s": 0.5}) as service:
        raw = handshake(service)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        ping = json.dumps({"type": "ping", "t": "x" * 60_000}).encode()
        frame = b"\x81\xfe" + len(ping).to_bytes(2, "big") + b"\0\0\0\0" + ping

        def flood():
            try:
                while not enough.is_set():
                    raw.sendall(frame)
            except OSError:
                pass

        enough = threading.Event()
        flooding = threading.Thread(target=flood, daemon=True)
        flooding.start()
        time.sleep(0.1)
        for _ in range(3):
            check_alive(service)
        wait_until(lambda: not service.state.streams)
        enough.set()
        assert not service.state.streams
        # Awake again, it learns why.
        raw.settimeout(2)
        tail = b""
        try:
            while part := raw.recv(2**16):
                tail = (tail + part)[-400:]
        except OSError:
            pass
        raw.close()
        flooding.join(5)
        assert b"did not read" in tail
        wait_until(lambda: b'intonate_closed_total{code="4408"} 1.0' in service.get("/metrics").body)


# A connection that is lost


def test_a_lost_connection_goes_on_where_it_was(service):
    """Nothing lost, nothing twice, wherever it is cut: the same events as without a cut."""
    data = pcm(6.0)
    expected = play(service, data)
    events, session, sent = [], "", 0
    for until in (20_001, 60_000, 61_234, len(data)):
        seq = events[-1]["seq"] if events else 0
        with service.stream(f"{QUERY}&session={session}&seq={seq}" if session else QUERY) as ws:
            ready = receive(ws)
            assert ready["resumed"] is bool(session)
            session, sent = ready["session"], ready["received"] * 2
            ws.send(data[sent:until])
            if until == len(data):
                events += finish(ws)
            else:
                if until == 60_000:
                    events.append(receive(ws))  # the others of this stretch are never read
                ws.socket.shutdown(socket.SHUT_RDWR)
    assert heard(events) == heard(expected)
    wait_until(lambda: session not in service.state.sessions._sessions)


def test_events_that_were_not_read_come_again(service):
    with service.stream(QUERY) as ws:
        session = receive(ws)["session"]
        ws.send(pcm(2.0))
        first = [receive(ws) for _ in range(3)]
        ws.socket.shutdown(socket.SHUT_RDWR)
    with service.stream(f"{QUERY}&session={session}&seq=1") as ws:
        assert receive(ws)["received"] == 2 * RATE
        assert [receive(ws), receive(ws)] == first[1:]


def test_last_answers_that_were_sent_and_never_read_come_again(service):
    with service.stream(QUERY, max_queue=1) as ws:  # it reads no further than that, and does not close
        session = receive(ws)["session"]
        ws.send(pcm(3.0))
        ws.send('{"type": "finish"}')
        time.sleep(1.0)
        ws.socket.shutdown(socket.SHUT_RDWR)
    with service.stream(f"{QUERY}&session={session}&seq=1") as ws:
        assert receive(ws)["received"] == 3 * RATE
        again = finish(ws)
    assert heard(again) == heard(play(service, pcm(3.0)))[1:]
    wait_until(lambda: session not in service.state.sessions._sessions)


def test_a_session_is_taken_over_while_the_old_connection_lives(service):
    with service.stream(QUERY) as old:
        session = receive(old)["session"]
        old.send(pcm(1.0))
        receive(old)
        with service.stream(f"{QUERY}&session={session}&seq=1") as new:
            assert receive(new)["received"] == RATE
            error, closed = closing(old)
            assert (closed, error["code"]) == (4409, "taken")
            new.send(pcm(0.5))
            assert receive(new)["seq"] == 2


def test_the_rate_of_a_device_may_be_a_float_and_the_first_connection_may_have_a_seq(service):
    with service.stream(f"rate={RATE}.0&session=&seq=0") as ws:
        assert receive(ws)["rate"] == RATE


@pytest.mark.parametrize("change", ["session=unknown", "session={}&seq=99", "session={}&hop=1", "session={}&rate=8000"])
def test_what_cannot_be_resumed_begins_anew(service, change):
    with service.stream(QUERY) as ws:
        session = receive(ws)["session"]
    query = change.format(session) if "rate" in change else f"rate={RATE}&{change.format(session)}"
    with service.stream(f"{query}&activity=energy") as ws:
        ready = receive(ws)
    assert (ready["resumed"], ready["received"]) == (False, 0)
    assert ready["session"] != session


def test_lost_sessions_are_forgotten(recognizer):
    with Running(recognizer, limits={"resume_s": 0.2}) as service:
        with service.stream(QUERY) as ws:
            receive(ws)
        wait_until(lambda: not len(service.state.sessions))


def test_kill_and_restart(tiny_model, tmp_path):
    """A killed service leaves nothing on disk, and its clients begin anew with the next one."""

    def start():
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        home = kept | {"PYTHONPATH": str(SOURCE), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
        command = [sys.executable, "-B", "-m", "intonate", "serve", "--port", "0", "--model", str(tiny_model)]
        process = subprocess.Popen(
            command, env=home, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = process.stdout.readline()
        assert "listening at http://127.0.0.1:" in line, process.stderr.read()
        service = Running.__new__(Running)
        service.port = int(line.split("127.0.0.1:")[1].split()[0])
        return process, service

    process, service = start()
    with service.stream(QUERY) as ws:
        session = receive(ws)["session"]
        ws.send(pcm(1.2))
        receive(ws)
        process.kill()
        assert closing(ws)[1] == 1006
    process.communicate(timeout=20)
    process, service = start()
    with service.stream(f"{QUERY}&session={session}&seq=1") as ws:
        ready = receive(ws)
        assert (ready["resumed"], ready["received"]) == (False, 0)
        ws.send(pcm(1.2))
        assert receive(ws)["seq"] == 1
        process.send_signal(signal.SIGTERM)
        assert closing(ws)[1] == 1012
    out, err = process.communicate(timeout=20)
    assert process.returncode in (0, -signal.SIGTERM)
    assert (out, err) == ("", "")
    assert list(tmp_path.rglob("*")) == []


# Who may connect


@pytest.mark.parametrize("header", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}])
def test_pages_from_elsewhere_are_refused(service, header):
    if "Host" in header:
        with socket.create_connection(("127.0.0.1", service.port)) as raw:
            raw.sendall(
                b"GET /v1/stream HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert b" 403 " in raw.recv(4096)
        return
    with pytest.raises(InvalidStatus) as refused:
        service.stream(QUERY, origin=header["Origin"])
    assert refused.value.response.status_code == 403
    with service.stream(QUERY, origin=f"http://127.0.0.1:{service.port}") as ws:
        assert receive(ws)["type"] == "ready"


def test_a_websocket_to_an_address_that_is_none(service):
    for path in ("", "stream", "v1/predictions", "static/app.js"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{service.port}/{path}", proxy=None)
        response = refused.value.response
        assert (response.status_code, json.loads(response.body)["code"]) == (404, "not_found")
    with connect(f"ws://127.0.0.1:{service.port}/v1/stream/?rate=16000", proxy=None) as ws:
        assert receive(ws)["type"] == "ready"


def test_token_as_a_browser_sends_it(recognizer):
    with Running(recognizer, token=TOKEN) as service:
        with service.stream(QUERY, subprotocols=["intonate.v1", f"intonate.token.{TOKEN}"]) as ws:
            assert ws.subprotocol == "intonate.v1"
            assert receive(ws)["type"] == "ready"
        with service.stream(QUERY, subprotocols=[f"intonate.token.{TOKEN}"]) as ws:
            assert receive(ws)["type"] == "ready"
        with service.stream(QUERY, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as ws:
            assert receive(ws)["type"] == "ready"
        for options in ({}, {"subprotocols": ["intonate.v1", "intonate.token.wrong"]}):
            with service.stream(QUERY, **options) as ws:
                error, closed = closing(ws)
            assert (closed, error["code"]) == (4401, "token")
            assert TOKEN not in json.dumps(error)


def test_figures_of_streams(service):
    play(service, pcm(2.0))
    figures = service.get("/metrics").body.decode()
    assert 'intonate_events_total{type="segment"}' in figures
    assert "intonate_window_seconds_count" in figures


def test_sound_between_pings_and_in_fragments_is_all_there_and_in_order(recognizer):
    sound = pcm(3.0)
    third = len(sound) // 6 * 2
    with Running(recognizer) as service, service.stream(QUERY) as ws:
        receive(ws)
        for start in range(0, third, 640):
            ws.send(sound[start : start + 640][: third - start])
            if start % 6400 == 0:
                ws.send('{"type": "ping", "t": 1}')
        ws.send([sound[third : third + 1000], sound[third + 1000 : 2 * third]])  # one message of two frames
        ws.send(sound[2 * third :])
        events = finish(ws)
    with Running(recognizer) as service, service.stream(QUERY) as ws:
        receive(ws)
        ws.send(sound)
        expected = finish(ws)
    shown = [{**event, "received": 0} for event in events if event["type"] != "pong"]
    assert sum(event["type"] == "pong" for event in events) == -(-third // 6400)
    assert shown == [{**event, "received": 0} for event in expected]
