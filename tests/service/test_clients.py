"""Clients that others wrote, in front of a service that runs: Node's ws, and a browser on a page from elsewhere.

`huggingface_hub` is in test_http.py, a generated client in test_description.py.
"""

import contextlib
import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from running import Running, wav

TOKEN = "only-for-tests-0123456789"
NODE, NPM = shutil.which("node"), shutil.which("npm")
WS = "ws@8.18.3"
# Sends a file as a microphone would, finishes, and prints what came; then the same with a wrong token.
SCRIPT = """
const WebSocket = require("ws"), fs = require("fs");
const [url, token, file] = process.argv.slice(2);
function talk(token, sound) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, ["intonate.v1", "intonate.token." + token]), events = [];
    ws.on("message", (data, isBinary) => {
      if (isBinary) reject(new Error("binary"));
      events.push(JSON.parse(data));
      if (events.length > 1 || events[0].type !== "ready") return;
      for (let at = 0; at < sound.length; at += 1280) ws.send(sound.subarray(at, at + 1280));
      ws.send(JSON.stringify({type: "ping", t: 1}));
      ws.send(JSON.stringify({type: "finish"}));
    });
    ws.on("close", (code) => resolve({code, protocol: ws.protocol, events}));
    ws.on("error", reject);
  });
}
(async () => {
  const sound = fs.readFileSync(file);
  console.log(JSON.stringify([await talk(token, sound), await talk("wrong-wrong-wrong-wrong", sound)]));
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def ws_folder(tmp_path_factory):
    """A folder with Node's `ws` in it, as npm installs it."""
    if NODE is None or NPM is None:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("node")
    command = [NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), WS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm could not fetch {WS}: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def test_nodes_ws(ws_folder, recognizer):
    samples, rate = soundfile.read(Path(__file__).parents[2] / "examples/angry.flac", dtype="int16")
    (ws_folder / "sound.raw").write_bytes(samples.tobytes())
    (ws_folder / "talk.js").write_text(SCRIPT)
    stream = recognizer.stream(rate)
    expected = [*stream.push(samples), *stream.finish()]
    with Running(recognizer, token=TOKEN) as service:
        url = f"ws://127.0.0.1:{service.port}/v1/stream?rate={rate}"
        command = [NODE, "talk.js", url, TOKEN, "sound.raw"]
        done = subprocess.run(command, cwd=ws_folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answered, refused = json.loads(done.stdout)
    events = [event for event in answered["events"] if event["type"] in ("segment", "final")]
    assert (answered["code"], answered["protocol"]) == (1000, "intonate.v1")
    assert [(event["type"], event["label"]) for event in events] == [(event.type, event.label) for event in expected]
    assert [event["type"] for event in answered["events"] if event not in events] == ["ready", "pong", "done"]
    assert (refused["code"], refused["events"][-1]["code"]) == (4401, "token")


@contextlib.contextmanager
def page_from_elsewhere():
    """The origin of an empty page that somebody else serves."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


# What a web page does with `fetch`: an upload with the token (which asks first, by OPTIONS), and the answer read.
FETCH = """async ([url, token, sound]) => {
  const form = new FormData();
  form.append("audio", new Blob([new Uint8Array(sound)]), "clip.wav");
  try {
    const headers = {Authorization: "Bearer " + token};
    const answer = await fetch(url + "/v1/predictions", {method: "POST", body: form, headers});
    return [answer.status, await answer.json()];
  } catch (error) { return ["refused by the browser", error.name]; }
}"""
SOCKET = """([url, token]) => new Promise((resolve) => {
  const ws = new WebSocket(url.replace("http", "ws") + "/v1/stream", ["intonate.v1", "intonate.token." + token]);
  ws.onmessage = (event) => resolve(JSON.parse(event.data).type);
  ws.onerror = () => resolve("refused");
})"""


@pytest.fixture(scope="module")
def browser(launch):
    chromium = launch(os.devnull)
    yield chromium
    chromium.close()


@pytest.mark.parametrize("is_allowed", [True, False], ids=["allowed", "refused"])
def test_a_browsers_fetch_from_another_origin(browser, recognizer, is_allowed):
    sound = wav()
    with page_from_elsewhere() as origin:
        origins = (origin,) if is_allowed else ("https://somebody.example",)
        with Running(recognizer, token=TOKEN, allowed_origins=origins) as service:
            tab = browser.new_page()
            tab.goto(origin)
            url = f"http://127.0.0.1:{service.port}"
            status, answer = tab.evaluate(FETCH, [url, TOKEN, list(sound)])
            first = tab.evaluate(SOCKET, [url, TOKEN])
            unknown = tab.evaluate(FETCH, [url, "wrong-wrong-wrong-wrong", list(sound)])
            tab.close()
    if is_allowed:
        assert (status, first) == (200, "ready")
        assert np.isclose(answer["scores"][0]["score"], recognizer.predict(sound).to_dict()["scores"][0]["score"])
        assert (unknown[0], unknown[1]["code"]) == (401, "token"), "a page can read why"
    else:
        assert (status, answer, first) == ("refused by the browser", "TypeError", "refused")
