"""The nodes and constants of an ONNX graph as it grows."""

from __future__ import annotations

from typing import Any

import numpy as np

from intonate.errors import require


class GraphBuilder:
    """Nodes and constants in the order in which they were added.

    Attributes:
        prefix: goes before every name, so that several builders can add to one graph.
    """

    def __init__(self, prefix: str = "") -> None:
        self.onnx = require("onnx", "train")
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        """Add a constant, and return its whole name."""
        name = self.prefix + name
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, and return the whole name of that."""
        output = self.prefix + output
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output
