"""The OpenAPI description is what the service does: every answer fits its schema, every example is true."""

import importlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import soundfile
from running import Running, wav
from test_http import TOKEN

from intonate import load_model
from intonate.service import description, predictions, reference

ROOT = Path(__file__).parents[2]


class Described:
    """Asks a service, and holds each answer to the description."""

    def __init__(self, service):
        self.service, self.openapi = service, service.get("/openapi.json").json
        self.seen = set()

    def check(self, answer, path, method="post"):
        kind = answer.headers["content-type"].partition(";")[0]
        described = self.openapi["paths"][path][method]["responses"][str(answer.status)]["content"][kind]
        value = answer.json if kind == "application/json" else answer.body.decode()
        self.hold(value, described["schema"])
        self.seen.add((path, answer.status, kind))
        return answer

    def hold(self, value, schema):
        jsonschema.Draft202012Validator(schema | {"components": self.openapi["components"]}).validate(value)


@pytest.fixture
def described(service):
    return Described(service)


def stereo():
    file = io.BytesIO()
    samples, rate = soundfile.read(io.BytesIO(wav(4.0)))
    soundfile.write(file, np.stack([samples, samples[::-1]], axis=1), rate, format="WAV")
    return file.getvalue()


def test_every_kind_of_prediction_fits(described):
    upload = described.service.upload
    answers = [
        upload(wav()),
        upload(wav(9.0), timeline="true", top_k="2"),
        upload(stereo(), channels="each"),
        upload(wav(), labels="p4-4"),
        upload(np.zeros(0).tobytes() + wav(0.2)),
        *(upload(wav(9.0), format=name) for name in predictions.MEDIA_TYPES),
    ]
    for answer in answers:
        assert described.check(answer, "/v1/predictions").status == 200
    assert {kind for _, _, kind in described.seen} == {"application/json", *description.TEXTS}
    assert set(predictions.MEDIA_TYPES.values()) == {"application/json", *description.TEXTS}
    body = b""
    for audio in (wav(), b"no sound"):
        head = '--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
        body += head.encode() + audio + b"\r\n"
    content = described.openapi["paths"]["/v1/predictions"]["post"]["responses"]["200"]["content"]
    assert all("neutral" in content[kind]["example"] for kind in description.TEXTS)
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    several = described.service.request("POST", "/v1/predictions", body + b"--x--\r\n", kind)
    assert "error" in described.check(several, "/v1/predictions").json[1]


def test_the_other_addresses_fit(described):
    kind = {"Content-Type": "audio/wav"}
    scores = described.service.request("POST", "/models/tiny", wav(), kind)
    assert described.check(scores, "/models/{name}").json
    assert (
        described.check(described.service.request("POST", "/models/other", wav(), kind), "/models/{name}").status == 404
    )
    for path in ("/v1/models", "/healthz", "/readyz", "/metrics"):
        assert described.check(described.service.get(path), path, "get").status == 200


def test_every_error_fits_and_says_why(recognizer):
    """The statuses that a client can cause: 408, 500 and `stopping` have their own tests."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    audio = bearer | {"Content-Type": "audio/wav"}
    with Running(recognizer, token=TOKEN, limits={"upload_bytes": 1000}) as service:
        described = Described(service)
        for status, body, headers in (
            (401, wav(), {}),
            (403, wav(), audio | {"Host": "evil.example"}),
            (413, bytes(200_000), audio),
            (415, b"x", bearer | {"Content-Type": "text/plain"}),
            (400, b"", audio),
        ):
            answer = service.request("POST", "/v1/predictions", body, headers)
            assert described.check(answer, "/v1/predictions").status == status
            responses = described.openapi["paths"]["/v1/predictions"]["post"]["responses"]
            if status != 413:  # which tells the limit
                assert answer.json == responses[str(status)]["content"]["application/json"]["example"]
        assert described.openapi["paths"]["/v1/predictions"]["post"]["security"] == [{"token": []}]
    with Running(recognizer, limits={"uploads": 0}) as service:
        assert Described(service).check(service.upload(wav()), "/v1/predictions").status == 503
        assert Described(service).check(service.get("/readyz"), "/readyz", "get").status == 503


def test_a_client_that_is_generated_from_it_gets_answers(service, tmp_path, monkeypatch):
    """By openapi-python-client: nothing in the client was written by hand."""
    generator = shutil.which("openapi-python-client")  # in an environment of its own: its typer is not ours
    if generator is None:
        pytest.skip("needs the program openapi-python-client")
    (tmp_path / "openapi.json").write_bytes(service.get("/openapi.json").body)
    command = [generator, "generate", "--meta", "none"]
    command += ["--path", "openapi.json", "--output-path", "generated_client"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    monkeypatch.syspath_prepend(str(tmp_path))
    generated = importlib.import_module("generated_client")
    with generated.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=60) as client:
        predict, models = (
            importlib.import_module(f"generated_client.api.default.{name}").sync for name in ("predict", "models")
        )
        assert models(client=client).default == "tiny"
        types = importlib.import_module("generated_client.types")
        body = importlib.import_module("generated_client.models").PredictFilesBody
        audio = types.File(payload=io.BytesIO(wav()), file_name="clip.wav", mime_type="audio/wav")
        answer = predict(client=client, body=body(audio=[audio], top_k=2))
        assert (answer.file, len(answer.scores)) == ("clip.wav", 2)
        assert answer.guess == answer.scores[0].label
        explain = importlib.import_module("generated_client.api.default.explain").sync
        body_of = importlib.import_module("generated_client.models").ExplainFilesBody
        audio = types.File(payload=io.BytesIO(wav()), file_name="clip.wav", mime_type="audio/wav")
        explanation = explain(client=client, body=body_of(audio=audio, label="sad"))
        assert (explanation.explained, len(explanation.map_), len(explanation.map_[0])) == ("sad", 10, 5)
        broken = types.File(payload=io.BytesIO(b"no sound"), file_name="clip.wav")
        refused = predict(client=client, body=body(audio=[broken]))
        assert refused.code == "bad_request"
        both = [types.File(payload=io.BytesIO(sound), file_name="clip.wav") for sound in (wav(), b"no sound")]
        first, second = predict(client=client, body=body(audio=both))
        assert (first.label, second.code) == (answer.label, "bad_request")


def test_examples_name_the_model_that_is_served(service):
    paths = service.get("/openapi.json").json["paths"]
    answers = paths["/v1/predictions"]["post"]["responses"]
    assert answers["200"]["content"]["application/json"]["example"]["model"] == "tiny"
    other = service.upload(wav(), model="other")
    assert other.json == answers["404"]["content"]["application/json"]["example"]
    (query,) = (one for one in paths["/v1/explanations"]["post"]["parameters"] if one["name"] == "model")
    assert query["schema"]["example"] == "tiny"


def test_the_document_has_the_statuses_and_close_codes_of_the_description(service):
    document = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    table = {int(status) for status in re.findall(r"^\| (\d{3}) \|", document, re.M)}
    assert table - {426} == set(description.REFUSALS)
    told = document[document.index("**Close codes:**") :].partition("\n\n")[0]
    shown = reference.LIVE[reference.LIVE.index("Close codes:") :]
    codes = [set(re.findall(r"\b(?:4\d{3}|10\d\d)\b", text)) for text in (told, shown)]
    assert codes[0] == codes[1]


def test_examples_are_true():
    """The example is what `standard` says to a recording of the repository, and each error a sentence of the code."""
    clip = (ROOT / "examples" / "neutral.flac").read_bytes()
    with Running(load_model()) as service:
        described = Described(service)
        answer = described.check(service.upload(clip, "neutral.flac", top_k="3"), "/v1/predictions").json
    example = description.EXAMPLE
    told = [[one["label"] for one in shape["scores"]] for shape in (answer, example)]
    assert told[0] == told[1]
    numbers = [[one["score"] for one in shape["scores"]] for shape in (answer, example)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.01)
    rest = [
        {key: value for key, value in shape.items() if key not in ("scores", "segments")} for shape in (answer, example)
    ]
    assert rest[0].pop("familiarity") == pytest.approx(rest[1].pop("familiarity"), abs=0.01)
    assert rest[0] == rest[1]
    for path, methods in described.openapi["paths"].items():
        for method, operation in methods.items():
            for response in operation["responses"].values():
                for kind in response.get("content", {}).values():
                    if "example" in kind:
                        described.hold(kind["example"], kind["schema"])
            assert operation["summary"], (path, method)
            assert "422" not in operation["responses"]
    assert json.dumps(described.openapi)
