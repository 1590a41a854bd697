"""`/docs`: the OpenAPI description as one plain page, without scripts: the usual viewers load themselves from a CDN."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

LIVE = """\
Live: WS /v1/stream?rate=48000&format=s16le

Send binary messages of any size: mono samples without a header, in the format and at the rate of the query: s16le or
f32le (little endian; 16000 Hz where none is said), mulaw or alaw (G.711; 8000 Hz). Or send, as text, the JSON messages
of a telephone gateway (Twilio, Telnyx, Plivo, Vonage, Exotel), whose media messages hold the same in base64: the other
side of the call is not heard, and its stop is as finish. Read JSON:

{"type":"ready","session":ID,"resumed":false,"received":0,"model":NAME,"labels":[…],"window":2.0,"hop":0.5,…}
{"type":"segment","model":NAME,"start":1.0,"end":1.5,"state":"speech","label":"happy","guess":"happy","abstained":false,
 "scores":[{"label","score"},…],"raw":[…],"level":-23.1,"seq":2,"received":72000}
{"type":"final","model":NAME,"start":0.3,"end":4.1,"label":"unsure","guess":"sad","abstained":true,
 "scores":[…],"transcript":"","seq":9}
{"type":"transcript","model":NAME,"start":0.3,"end":4.1,"transcript":"…","seq":11}   (serve --transcribe)
{"type":"behind","seconds":2.3,"received":96000}   (the answers are late by so much; 0: no longer)
{"type":"error","error":"one sentence","code":"…"}

Of a model with dimensions, segments and finals also have "dimensions":{"arousal":0.62,…}, each from 0 to 1.
Segments follow each other without gaps, one every hop; state is speech, silence or noise. A final is one utterance;
its transcript, where the service writes one, comes later, with the same start and end.
Send {"type":"finish"} to get the rest and {"type":"done"}; {"type":"ping","t":1} answers {"type":"pong","t":1}.

Query: rate, format, model (repeat it for several), window, hop (seconds), labels (a merge), activity (neural, energy),
plain=1 (pieces of 2 s, RMS < 0.01 is neutral), session and seq (resume: the id of `ready`, the last seq that you have;
`received` says from which sample to send on; a session waits 60 s).

Token: subprotocols "intonate.v1", "intonate.token.TOKEN" in a browser; else the header Authorization: Bearer TOKEN.
Close codes: 4400 bad request, 4401 token, 4404 model, 4408 too slow or idle, 4409 taken over, 4413 too long,
4429 no room (try again after retry_after seconds), 1009 a message over 16 MiB, 1012 the service stops.
"""

CURL = """\
curl -F audio=@clip.wav {address}v1/predictions
curl -F audio=@talk.mp3 -F timeline=true -F top_k=3 -H "Authorization: Bearer $TOKEN" {address}v1/predictions
curl -F audio=@clip.wav -F label=angry {address}v1/explanations
"""


def page(openapi: Mapping[str, Any], address: str) -> str:
    """The page, as HTML without scripts; `address` is that of the service, as the client wrote it, with a slash."""
    body = "\n".join(_operations(openapi))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>intonate: the interface</title><link rel="stylesheet" href="docs.css"></head><body><main>
<h1>intonate {escape(openapi["info"]["version"])}</h1>
<p>{escape(openapi["info"]["summary"])} <a href=".">The page</a> · <a href="openapi.json">OpenAPI</a></p>
<h2>Try it</h2><pre>{escape(CURL.format(address=address))}</pre>
{body}
<h2>Live</h2><pre>{escape(openapi["info"]["description"])}</pre>
</main></body></html>
"""


def _operations(openapi: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
            yield f"<p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>"
            content = operation.get("requestBody", {}).get("content", {})
            for kind, media_type in content.items():
                yield f"<h3>{escape(kind)}</h3>" + _fields(media_type["schema"])
            yield "<h3>Answers</h3><dl>"
            for status, answer in sorted(operation["responses"].items()):
                yield f"<dt>{escape(status)}</dt><dd>{escape(answer['description'])}{_example(answer)}</dd>"
            yield "</dl>"


def _fields(schema: Mapping[str, Any]) -> str:
    rows = []
    for name, field in schema.get("properties", {}).items():
        required_note = " (required)" if name in schema.get("required", ()) else ""
        example = f", e.g. {json.dumps(field['example'])}" if "example" in field else ""
        rows.append(
            f"<dt><code>{escape(name)}</code>{required_note}</dt><dd>{escape(field['description'] + example)}</dd>"
        )
    return f"<dl>{''.join(rows)}</dl>"


def _example(answer: Mapping[str, Any]) -> str:
    example = answer.get("content", {}).get("application/json", {}).get("example")
    return f"<pre>{escape(json.dumps(example, indent=1, ensure_ascii=False))}</pre>" if example else ""
