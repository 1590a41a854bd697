"""A model file in another version of ONNX's operators, for engines that know only older ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from intonate.errors import ModelError, first_line, require
from intonate.export.onnx import check, opset_of, quiet, save, written_aside
from intonate.export.probes import probes
from intonate.recognizer.model_file import read_model

# onnx's converter knows no older ones.
OLDEST = 7


def with_opset(model: str | Path, output: str | Path, opset: int) -> Path:
    """Write `NAME-opsetN.onnx`, checked against the model on three clips.

    Args:
        model: a model file.
        output: the folder to write to.
        opset: the version of the operators, e.g. 13.

    Raises:
        ModelError: there is no such version, or the model cannot be written in it.
    """
    onnx, converter = require("onnx", "train"), require("onnx.version_converter", "train")
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST <= opset <= newest:
        raise ModelError(f"opset {opset} is not known; expected {OLDEST} to {newest}")
    original = read_model(model)
    graph = onnx.load(str(original.path))
    spec = replace(original.spec, name=f"{original.spec.name}-opset{opset}")
    path = Path(output) / f"{spec.name}.onnx"
    with written_aside(path) as target:
        try:
            with quiet():
                made = converter.convert_version(graph, opset)
                onnx.helper.set_model_props(made, {entry.key: entry.value for entry in graph.metadata_props})
                save(made, spec, target)
                check(target, spec, probes(spec), lambda feeds: original.session.run(None, feeds)[0])
        except ModelError:
            raise
        except Exception as error:  # onnx and onnxruntime have no common base but Exception
            reason = first_line(error).rpartition("failed: ")[2]  # without the place in onnx's own source
            raise ModelError(
                f"{original.path} cannot be written in opset {opset} ({reason}); it is in opset {opset_of(graph)}, "
                "give one nearer to that"
            ) from error
    return path
