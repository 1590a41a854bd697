"""`serve --workers 2`: one port, figures that add up, sessions that are found again, and an end for all of them."""

import contextlib
import errno
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiny
from running import Running, closing, finish, receive, wait_until, wav

from intonate.errors import IntonateError
from intonate.service.load import Load
from intonate.service.place import Place
from intonate.service.workers import _folder, listen

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
SOURCE = Path(__file__).parents[2] / "src"
QUERY = "rate=16000&activity=energy"
COUNT = 2


class Together(Running):
    """A service of several processes, as it is started from a shell."""

    def __init__(self, model, folder, *options):
        self._command = [sys.executable, "-m", "intonate", "serve", "--port", "0", "--workers", str(COUNT)]
        self._command += ["--model", str(model), *options]
        self._folder = folder

    def __enter__(self):
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": str(self._folder)}
        environment["TMPDIR"] = str(self._folder)
        self.process = subprocess.Popen(
            self._command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.port = int(re.search(r":(\d+) ", self.process.stdout.readline())[1])
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.output, self.errors = self.process.communicate(timeout=30)

    def workers(self):
        """Their process ids."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]

    def figure(self, name):
        line = next(line for line in self.get("/metrics").body.decode().splitlines() if line.startswith(name))
        return float(line.split()[-1])


@pytest.fixture(scope="module")
def together(tiny_model, tmp_path_factory):
    with Together(tiny_model, tmp_path_factory.mktemp("workers")) as service:
        yield service


def pcm(seconds):
    return (tiny.speech(seconds) * 32767).astype("<i2").tobytes()


@contextlib.contextmanager
def opened(service):
    """A stream that each worker took: {worker: (session, WebSocket)}."""
    workers = service.workers()
    with contextlib.ExitStack() as stack:
        held = {}
        for taker in workers:  # whoever is free takes a connection: the others are stopped meanwhile
            with paused(other for other in workers if other != taker):
                ws = stack.enter_context(service.stream(QUERY))
                session = receive(ws)["session"]
            held[int(session.partition("-")[0])] = session, ws
        assert sorted(held) == list(range(COUNT))
        yield held


@contextlib.contextmanager
def paused(processes):
    """While these do nothing."""
    processes = list(processes)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def test_the_figures_of_all_add_up_whoever_is_asked(together):
    with opened(together) as held:
        wait_until(lambda: together.figure("intonate_connections ") == COUNT)
        assert [together.figure("intonate_connections ") for _ in range(6)] == [COUNT] * 6
        before = together.figure("intonate_stream_audio_seconds_total")
        for _, ws in held.values():
            ws.send(pcm(2.0))
            assert finish(ws)[-1]["type"] == "final"
    assert [together.figure("intonate_stream_audio_seconds_total") - before for _ in range(6)] == [4.0] * 6
    for _ in range(3):
        assert together.upload(wav()).status == 200
    assert together.figure('intonate_predictions_total{status="200"}') == 3
    page = together.get("/metrics").body.decode()
    assert page.count("\nintonate_stream_lag_seconds ") == 1
    assert "pid=" not in page


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Proto": "https"}], ids=["directly", "through a proxy"])
def test_a_session_is_found_whichever_worker_takes_the_connection(together, headers):
    sound = pcm(4.0)
    with opened(together) as held:
        for session, ws in held.values():
            ws.send(sound[:64_000])
            assert [receive(ws)["seq"] for _ in range(3)] == [1, 2, 3]
            ws.socket.close()  # lost without a word
            for seq in range(4):  # some of these meet the other worker
                with together.stream(f"{QUERY}&session={session}&seq={seq}", additional_headers=headers) as back:
                    ready = receive(back)
                    assert (ready["resumed"], ready["session"], ready["received"]) == (True, session, 32_000)
                    assert [receive(back)["seq"] for _ in range(3 - seq)] == list(range(seq + 1, 4))
                    if seq == 3:
                        back.send(sound[64_000:])
                        events = finish(back)
            assert {event["type"] for event in events} == {"segment", "final"}
            assert events[-1]["received"] == 64_000


def test_the_relay_hands_on_what_the_other_worker_refuses(together):
    with opened(together) as held:
        for session, ws in held.values():
            with together.stream(f"{QUERY}&session={session}&plain=maybe") as bad:
                error, code = closing(bad)
                assert (error["code"], code) == ("query", 4400)
            # Two connections of one session: the older is told so, wherever it is.
            with together.stream(f"{QUERY}&session={session}") as newer:
                assert receive(newer)["resumed"]
                error, code = closing(ws)
                assert (error["code"], code) == ("taken", 4409)


def test_last_answers_that_a_relay_sent_and_nobody_read_come_again(together):
    with opened(together) as held:
        number, (session, ws) = next(iter(held.items()))
        ws.socket.close()
        with ThreadPoolExecutor(1) as pool:
            with paused([together.workers()[number]]):  # the other one takes the connection, and hands it through
                coming = pool.submit(together.stream, f"{QUERY}&session={session}", max_queue=1)
                time.sleep(0.5)
            with coming.result(20) as relayed:  # it reads no further than that, and does not close
                receive(relayed)
                relayed.send(pcm(3.0))
                relayed.send('{"type": "finish"}')
                time.sleep(1.0)
                relayed.socket.shutdown(socket.SHUT_RDWR)
        with together.stream(f"{QUERY}&session={session}&seq=1") as back:
            ready = receive(back)
            assert (ready["resumed"], ready["received"]) == (True, 48_000)
            assert [event["seq"] for event in finish(back)] == [2, 3, 4, 5, 6]


def test_a_worker_that_dies_is_replaced(tiny_model, tmp_path):
    with Together(tiny_model, tmp_path) as service:
        with opened(service) as held:
            before = service.workers()
            os.kill(before[0], signal.SIGKILL)
            assert closing(held[0][1]) == (None, 1006)
            wait_until(lambda: set(service.workers()) - set(before), 120)
            # Its session is gone, and that is told; the other's goes on. No connection is refused in between.
            for number, resumed in ((0, False), (1, True)):
                with service.stream(f"{QUERY}&session={held[number][0]}") as back:
                    assert receive(back)["resumed"] is resumed
        assert len(service.workers()) == COUNT
    assert service.errors.count("\n") == 1
    assert "worker 1 ended (signal 9) and is replaced" in service.errors


def test_a_signal_to_stop_drains_all_and_leaves_nothing(tiny_model, tmp_path):
    with Together(tiny_model, tmp_path) as service, opened(service) as held:
        for _, ws in held.values():
            ws.send(pcm(2.2))
            for _ in range(3):
                receive(ws)
        workers = service.workers()
        service.process.send_signal(signal.SIGTERM)
        with ThreadPoolExecutor(COUNT) as pool:
            ends = list(pool.map(_events_and_end, [ws for _, ws in held.values()]))
        for events, error, code in ends:
            assert (error["code"], code) == ("stopping", 1012)
            assert "final" in [event["type"] for event in events]
        service.process.wait(60)
        with pytest.raises(ConnectionRefusedError):
            service.get("/healthz")
    assert (service.output, service.errors, service.process.returncode) == ("", "", -signal.SIGTERM)
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert not list(tmp_path.glob("intonate-*"))


def _events_and_end(ws):
    events = []
    return events, *closing(ws, events)


def test_workers_do_not_outlive_a_parent_that_was_killed(tiny_model, tmp_path):
    with Together(tiny_model, tmp_path) as service:
        workers = service.workers()
        service.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_what_keeps_it_from_starting_is_one_sentence(tmp_path):
    command = [sys.executable, "-m", "intonate", "serve", "--workers", "2", "--port"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, sentence in (([port], "could not listen at"), (["0", "--model", "no.onnx"], "does not exist")):
            done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, timeout=120)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert sentence in done.stderr


def test_a_machine_without_a_place_for_the_sockets(monkeypatch):
    def none(**_):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "mkdtemp", none)
    with pytest.raises(IntonateError, match=r"--workers needs a folder .* mount one at /tmp"), _folder():
        pass


def test_sockets_of_a_name_have_one_port():
    sockets = listen("localhost", 0, 5)
    try:
        assert len({one.getsockname()[1] for one in sockets}) == 1
    finally:
        for one in sockets:
            one.close()


def test_a_session_names_its_worker(tmp_path):
    place = Place(1, tmp_path, [0.0, 0.0, 0.0])
    assert place.owner(f"{place.session_prefix}secret") is None
    assert place.owner("2-secret") == tmp_path / "2.sock"
    assert [place.owner(name) for name in ("", "3-x", "-1-x", "99999-x", "../2-x", "²-x", "x")] == [None] * 7


def test_the_processors_are_shared(tmp_path):
    table = [0.0, 0.0]
    one, other = (Load(2, table, number) for number in range(2))
    one.stream_cost = other.stream_cost = 0.5
    for _ in range(2):
        assert one.has_room(1)
        one.admit()
    assert other.has_room(1)
    other.admit()
    assert not one.has_room(1)
    assert not other.has_room(1)
    assert table == [1.0, 0.5]
