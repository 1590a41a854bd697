"""A service that stops answers what is under way, or says why not."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiny
from running import Running, closing, receive, wav

from intonate.cancellation import check
from intonate.service import predictions

SOURCE = Path(__file__).parents[2] / "src"
QUERY = "rate=16000&activity=energy"


def pcm(seconds):
    return (tiny.speech(seconds) * 32767).astype("<i2").tobytes()


def test_an_upload_under_way_is_answered(recognizer, monkeypatch):
    predict, began = predictions._predict, threading.Event()

    def slow(*args):
        began.set()
        time.sleep(1.0)
        return predict(*args)

    monkeypatch.setattr(predictions, "_predict", slow)
    with Running(recognizer) as service, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.upload, wav())
        assert began.wait(20)
        service._server.should_exit = True
        assert answer.result(20).status == 200
        service.thread.join(20)
        assert not service.thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            service.get("/healthz")


def test_after_the_grace_an_upload_is_told_that_it_is_not_answered(recognizer, monkeypatch):
    began, ended = threading.Event(), threading.Event()

    def endless(*_):
        began.set()
        try:
            while True:
                check()
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(predictions, "_predict", endless)
    with Running(recognizer, limits={"grace_s": 0.3}) as service, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.upload, wav())
        assert began.wait(20)
        service._server.should_exit = True
        refused = answer.result(20)
        assert (refused.status, refused.json["code"]) == (503, "stopping")
        assert int(refused.headers["retry-after"]) >= 1
        assert ended.wait(5), "nobody waits for it, so it ends"


def test_a_stream_gets_its_answers_the_reason_and_a_code(recognizer):
    with Running(recognizer) as service, service.stream(QUERY) as ws:
        receive(ws)
        ws.send(pcm(2.2))
        events = [receive(ws) for _ in range(3)]
        service._server.should_exit = True
        with ThreadPoolExecutor(1) as pool:
            error, code = pool.submit(closing, ws, events).result(20)
    assert (error["code"], code) == ("stopping", 1012)
    assert "final" in [event["type"] for event in events], "what was said is answered"


def started(model, folder, *options):
    """(process, service) of `intonate serve`."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": str(folder)}
    command = [sys.executable, "-m", "intonate", "serve", "--port", "0", *options, "--model", str(model)]
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    service = Running.__new__(Running)
    service.port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
    return process, service


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_second_interrupt_waits_for_nothing_and_says_nothing(tiny_model, tmp_path):
    process, service = started(tiny_model, tmp_path, "--grace", "60")
    with socket.create_connection(("127.0.0.1", service.port)) as upload:  # that never comes to its end
        upload.sendall(
            b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
            b"Content-Type: audio/wav\r\n\r\nRIFF"
        )
        for _ in range(2):
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX signals")
@pytest.mark.skipif(
    hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,
    reason="the tests run under nohup, which a service heeds, too",
)
@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_a_terminal_that_is_closed_stops_it_as_a_signal_does(tiny_model, tmp_path, options):
    process, service = started(tiny_model, tmp_path, *options)
    with service.stream(QUERY) as ws:
        receive(ws)
        for one in (process.pid, *children(process)):  # all of a terminal get it
            os.kill(one, signal.SIGHUP)
        assert closing(ws)[1] == 1012
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == -signal.SIGTERM


def children(process):
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return map(int, path.read_text().split()) if path.exists() else ()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_the_grace_is_an_option(tiny_model, tmp_path):
    process, service = started(tiny_model, tmp_path, "--grace", "0.5")
    # An upload that never comes to its end.
    with socket.create_connection(("127.0.0.1", service.port)) as upload, service.stream(QUERY) as ws:
        upload.sendall(
            f"POST /v1/predictions HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\nContent-Length: 1000\r\n"
            "Content-Type: audio/wav\r\n\r\nRIFF".encode()
        )
        receive(ws)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert closing(ws)[1] == 1012
        answer = b"".join(iter(lambda: upload.recv(65536), b""))  # to its end: head and body may come apart
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'"code":"stopping"' in answer
    assert (out, err) == ("", "")
