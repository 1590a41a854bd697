"""Whether there is room is measured, streams that run keep their pings, and work ends when its client leaves."""

import threading
import time

import pytest
import tiny
from running import Running, closing, form, receive, wait_until, wav

from intonate.cancellation import check
from intonate.service import load, predictions
from intonate.service.load import LagClock, Load, trial_cost
from intonate.service.sessions import Session
from intonate.service.state import ServiceState

RATE = 16_000
QUERY = f"rate={RATE}&activity=energy"


def pcm(seconds):
    return (tiny.speech(seconds, RATE) * 32767).astype("<i2").tobytes()


def test_there_is_room_until_the_processors_are_busy_or_windows_wait():
    table = [0.0, 0.0]
    one, other = Load(2, table, 0), Load(2, table, 1)
    one.stream_cost = other.stream_cost = 0.5
    assert one.has_room(0)
    for _ in range(2):
        assert one.has_room(1)
        one.admit()
    assert not one.has_room(2), "the two that have just come need 1.0 of the 1.2 processors that a process can use"
    assert other.has_room(1), "another process can use the rest"
    other.admit()
    assert not other.has_room(1), "three need 1.5 of the 1.8 processors that there are"
    one._new.clear()
    other._new.clear()
    one.lag_s = load.MOST_LAG_S + 0.01
    assert not one.has_room(3)
    assert one.has_room(0), "nobody is kept waiting by the first one"


def test_streams_that_come_together_are_counted_once_each(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(load.time, "monotonic", lambda: now[0])
    service = Load(2)
    service.stream_cost = cost = 0.015
    came_at = []
    for sample in range(40):
        for _ in range(10 if sample < 8 else 0):  # eighty in two seconds
            came_at.append(now[0])
            service.admit()
        now[0] += load.SAMPLE_S
        # What a stream costs is spent when its first window is there.
        spent_s = sum(min(load.SAMPLE_S, max(0.0, now[0] - one - load.FIRST_S)) for one in came_at) * cost
        service._take_sample(load.SAMPLE_S, spent_s, 0.0, [0.002] * len(came_at))
        assert service._table[0] == pytest.approx(len(came_at) * cost, rel=0.1)
        assert service.has_room(len(came_at)) == (len(came_at) * cost + cost <= load.MOST_BUSY_PROCESS)


def test_the_wait_while_many_connect_is_no_overload():
    service = Load(2)
    service._take_sample(load.SAMPLE_S + 0.6, 0.0, 0.6, [])
    assert service.has_room(60), "sixty handshakes of 10 ms, once"
    for _ in range(8):
        service._take_sample(load.SAMPLE_S + 0.6, 0.0, 0.6, [])
    assert not service.has_room(60), "the loop always comes too late"


def test_what_a_stream_costs_is_learnt_from_sound_and_not_from_streams_that_wait():
    service = Load(2)
    service.stream_cost = 0.02
    service._take_sample(load.SAMPLE_S, 0.0, 0.1, [0.5] * 60)
    assert service.stream_cost == 0.02, "sixty wait for a thread"
    for _ in range(200):
        service.sound_s = 10.0
        service._take_sample(load.SAMPLE_S, 0.1, 0.1, [])
    assert service.stream_cost == pytest.approx(0.01 + load.LOOP_COST, rel=0.01)


def test_work_in_a_pool_is_measured():
    one = Load(2)
    assert one.run(time.monotonic() - 0.3, lambda: 42) == 42
    assert one._waits_s[0] == pytest.approx(0.3, abs=0.1)
    with pytest.raises(ZeroDivisionError):
        one.run(time.monotonic(), lambda: 1 / 0)
    assert len(one._waits_s) == 2


def test_what_a_stream_costs_is_tried_at_the_start(recognizer):
    assert 0 < trial_cost(recognizer) < 2


def test_a_stream_is_behind_its_sound_and_not_behind_a_file(monkeypatch):
    now, clock = [100.0], LagClock()
    monkeypatch.setattr(load.time, "monotonic", lambda: now[0])
    clock.sound_came(now[0], 0.0)
    now[0] += 2.0
    assert clock.lag_s(10.0) == 0, "ten seconds of sound in two"
    assert clock.lag_s(0.5) == pytest.approx(1.5)
    assert clock.news(0.5) == pytest.approx(1.5)
    assert clock.news(0.5) is None, "said once"
    now[0] += load.TOLD_EVERY_S
    assert clock.news(0.5) == pytest.approx(6.5)
    clock.caught_up()
    assert clock.news(7.0) == 0
    assert clock.news(7.0) is None
    now[0] += 60.0
    clock.sound_came(now[0], 7.0)
    assert clock.lag_s(7.0) == 0, "a pause of the client is none of ours"


def test_a_service_that_is_busy_refuses_new_streams_and_keeps_those_that_run(recognizer):
    with Running(recognizer) as service, service.stream(QUERY) as ws:
        session = receive(ws)["session"]
        service.state.load.stream_cost = 1000.0
        with service.stream(QUERY) as late:
            error, code = closing(late)
        assert (code, error["code"], error["retry_after"]) == (4429, "busy", 2)
        assert service.get("/readyz").status == 503
        ws.send(pcm(1.2))
        assert receive(ws)["type"] == "segment"
        with service.stream(f"{QUERY}&session={session}&seq=1") as again:
            assert receive(again)["resumed"] is True, "whoever comes back has a place"


def test_a_stream_that_is_behind_says_so_and_answers_pings(recognizer, monkeypatch):
    in_pool, is_slow = ServiceState.in_stream_pool, threading.Event()

    async def slowly(self, work, *args):
        import asyncio

        if is_slow.is_set():
            await asyncio.sleep(0.8)
        return await in_pool(self, work, *args)

    push, piece_sizes = Session.push, []

    def counted(self, samples):
        piece_sizes.append(len(samples))
        return push(self, samples)

    monkeypatch.setattr(Session, "push", counted)
    monkeypatch.setattr(ServiceState, "in_stream_pool", slowly)
    sound = pcm(4.0)
    with Running(recognizer) as service, service.stream(QUERY) as ws:
        receive(ws)
        is_slow.set()
        for start in range(0, len(sound), 3200):  # as it is spoken
            ws.send(sound[start : start + 3200])
            time.sleep(0.1)
        began = time.monotonic()
        ws.send('{"type": "ping", "t": 1}')
        events = []
        while not events or events[-1]["type"] != "pong":
            events.append(receive(ws))
        assert time.monotonic() - began < 2
        is_slow.clear()
        while not events or events[-1]["type"] != "behind" or events[-1]["seconds"]:
            events.append(receive(ws))
    behind = [event["seconds"] for event in events if event["type"] == "behind"]
    assert behind[0] >= 1
    assert behind[-1] == 0
    assert sum(piece_sizes) <= len(sound) // 2
    assert len(piece_sizes) <= 14, "forty messages: those that come while a window is computed are one piece"
    assert [event["seq"] for event in events if "seq" in event] == list(range(1, 1 + sum("seq" in e for e in events)))


def test_work_ends_when_its_client_leaves(recognizer, monkeypatch):
    began, ended = threading.Event(), threading.Event()

    def endless(audio, longest_s, options):
        began.set()
        try:
            while True:
                check()
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(predictions, "_predict", endless)
    with Running(recognizer, limits={"threads": 1}) as service:
        import http.client

        client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        client.request("POST", "/v1/predictions", *form(wav()))
        assert began.wait(20)
        client.close()
        assert ended.wait(20)
        monkeypatch.undo()
        assert service.upload(wav()).status == 200, "the only thread is free again"
        wait_until(lambda: b'intonate_predictions_total{status="499"} 1.0' in service.get("/metrics").body)
