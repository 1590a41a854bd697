"""ONNX graphs written like arithmetic: a `Value` stands for a tensor, and every operation on it becomes a node.

    graph = Graph("front/")
    x = graph.input("waveform", np.float32, [1, "samples"])
    graph.output("level", (x * x).mean(1))

A whole model is written so, or a part of one that is there already: `Value(graph, name, dtype)` is a tensor of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intonate.errors import require

Operand: TypeAlias = "Value | int | float | np.generic | NDArray[Any]"


class Value:
    """A tensor of a graph that is being written."""

    def __init__(self, graph: Graph, name: str, dtype: Any) -> None:
        self.graph, self.name, self.dtype = graph, name, np.dtype(dtype)

    def _binary(self, operator: str, other: Operand, dtype: Any = None) -> Value:
        return self.graph.node(operator, self, self.graph.value(other, self.dtype), dtype=dtype or self.dtype)

    def __add__(self, other: Operand) -> Value:
        return self._binary("Add", other)

    def __sub__(self, other: Operand) -> Value:
        return self._binary("Sub", other)

    def __rsub__(self, other: Operand) -> Value:
        return self.graph.value(other, self.dtype) - self

    def __mul__(self, other: Operand) -> Value:
        return self._binary("Mul", other)

    def __truediv__(self, other: Operand) -> Value:
        return self._binary("Div", other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self.graph.value(other, self.dtype) / self

    def __matmul__(self, other: Operand) -> Value:
        return self._binary("MatMul", other)

    def __mod__(self, other: Operand) -> Value:
        return self._binary("Mod", other)

    def __gt__(self, other: Value | float) -> Value:
        return self._binary("Greater", other, bool)

    def __ge__(self, other: Value | float) -> Value:
        return self._binary("GreaterOrEqual", other, bool)

    def __lt__(self, other: Value | float) -> Value:
        return self._binary("Less", other, bool)

    def __and__(self, other: Value) -> Value:
        return self._binary("And", other, bool)

    def __or__(self, other: Value) -> Value:
        return self._binary("Or", other, bool)

    def equals(self, other: Operand) -> Value:
        return self._binary("Equal", other, bool)

    def maximum(self, other: Operand) -> Value:
        return self._binary("Max", other)

    def minimum(self, other: Operand) -> Value:
        return self._binary("Min", other)

    def clip(self, low: Operand, high: Operand) -> Value:
        return self.maximum(low).minimum(high)

    def apply(self, operator: str, **attributes: Any) -> Value:
        """An operator of one input that keeps the kind of number: Log, Sqrt, Abs, Cos…"""
        return self.graph.node(operator, self, dtype=self.dtype, **attributes)

    def square(self) -> Value:
        return self * self

    def cast(self, dtype: Any) -> Value:
        kind = self.graph.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self if self.dtype == dtype else self.graph.node("Cast", self, dtype=dtype, to=kind)

    def transpose(self, *order: int) -> Value:
        return self.graph.node("Transpose", self, dtype=self.dtype, perm=list(order))

    def shape(self, start: int = 0, end: int | None = None) -> Value:
        """Its shape, or the sizes of some of its axes, int64."""
        settings: dict[str, Any] = {"start": start} if end is None else {"start": start, "end": end}
        return self.graph.node("Shape", self, dtype=np.int64, **settings)

    def reshape(self, *shape: int) -> Value:
        return self.graph.node("Reshape", self, np.array(shape, np.int64), dtype=self.dtype)

    def length(self) -> Value:
        """The size of its first axis, an int64 scalar."""
        return self.graph.node("Squeeze", self.shape(end=1), dtype=np.int64)

    def sum(self, *axes: int, keepdims: bool = False) -> Value:
        """Over some axes, or all; of nothing it is zero."""
        axis = [np.array(axes, np.int64)] if axes else []
        return self.graph.node("ReduceSum", self, *axis, dtype=self.dtype, keepdims=int(keepdims))

    def mean_and_sd(self) -> tuple[Value, Value]:
        """Over the first axis, the deviation being the population's; of nothing both are zero."""
        count = self.length().cast(np.float32).maximum(1.0)
        mean = self.sum(0) / count
        return mean, ((self - mean).square().sum(0) / count).apply("Sqrt")

    def reduce(self, operator: str, *axes: int, keepdims: bool = False) -> Value:
        """ReduceMax, ReduceMin or ReduceMean over some axes, or all."""
        as_input = bool(axes) and self.graph.version >= AXES_AS_INPUT
        operands = [np.array(axes, np.int64)] if as_input else []
        settings: dict[str, Any] = {"axes": list(axes)} if axes and not as_input else {}
        return self.graph.node(operator, self, *operands, dtype=self.dtype, keepdims=int(keepdims), **settings)

    def highest(self, *axes: int, keepdims: bool = False) -> Value:
        return self.reduce("ReduceMax", *axes, keepdims=keepdims)

    def slice(self, start: Operand, end: Operand, axis: int = 0, step: int = 1) -> Value:
        """Like `x[start:end:step]` along an axis; `END` for its end."""
        bounds = [
            place.reshape(1) if isinstance(place, Value) else np.reshape(np.asarray(place, np.int64), 1)
            for place in (start, end, axis, step)
        ]
        return self.graph.node("Slice", self, *bounds, dtype=self.dtype)

    def compress(self, mask: Value) -> Value:
        """The rows where a mask is true."""
        return self.graph.node("Compress", self, mask, dtype=self.dtype, axis=0)

    def at(self, indices: Operand, axis: int = 0) -> Value:
        """`np.take`."""
        indices = self.graph.value(indices, np.dtype(np.int64))
        return self.graph.node("Gather", self, indices, dtype=self.dtype, axis=axis)

    def ascending(self) -> Value:
        """Each column sorted along the first axis."""
        name = self.graph.new_name("places")
        count = self.length().reshape(1)
        return self.graph.node("TopK", self, count, dtype=self.dtype, more=[name], axis=0, largest=0)


# Beyond the end of any axis, for slices.
END = np.iinfo(np.int64).max
# The operator set from which on reductions take their axes as an input; ReduceSum does so from 13 on.
AXES_AS_INPUT = 18


class Graph:
    """The nodes and constants of an ONNX graph as it grows.

    Attributes:
        onnx: the package.
        prefix: goes before each of its own names, so that several can be parts of one model.
        version: of the operator set; the default is the workshop's own (`onnx.OPSET`).
    """

    def __init__(self, prefix: str = "", version: int = 17) -> None:
        self.onnx = require("onnx", "train")
        self.prefix, self.version = prefix, version
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self._constant_of: dict[tuple[str, tuple[int, ...], bytes], Value] = {}
        self._count = 0

    def new_name(self, kind: str) -> str:
        self._count += 1
        return f"{self.prefix}{kind}_{self._count}"

    def input(self, name: str, dtype: Any, shape: Sequence[int | str]) -> Value:
        self.inputs.append(self._info(name, dtype, shape))
        return Value(self, name, dtype)

    def output(self, name: str, value: Value, shape: Sequence[int | str]) -> None:
        self.node("Identity", value, dtype=value.dtype, name=name)
        self.outputs.append(self._info(name, value.dtype, shape))

    def value(self, operand: Operand, dtype: Any) -> Value:
        """A value as it is; a number or an array as a constant of that kind, each written once."""
        if isinstance(operand, Value):
            return operand
        array = np.asarray(operand, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constant_of:
            name = self.new_name("constant")
            self.constants.append(self.onnx.numpy_helper.from_array(array, name))
            self._constant_of[key] = Value(self, name, dtype)
        return self._constant_of[key]

    def node(
        self,
        operator: str,
        *operands: Operand,
        dtype: Any,
        more: Sequence[str] = (),
        name: str = "",
        **attributes: Any,
    ) -> Value:
        """One node: its first output; `more` names those after it."""
        names = [self.value(operand, getattr(operand, "dtype", np.dtype(np.float32))).name for operand in operands]
        output = name or self.new_name(operator.lower())
        self.nodes.append(self.onnx.helper.make_node(operator, names, [output, *more], **attributes))
        return Value(self, output, dtype)

    def where(self, condition: Value, yes: Operand, no: Operand, dtype: Any = np.float32) -> Value:
        return self.node("Where", condition, self.value(yes, dtype), self.value(no, dtype), dtype=dtype)

    def concat(self, values: Sequence[Operand], axis: int = 0, dtype: Any = np.float32) -> Value:
        return self.node("Concat", *(self.value(value, dtype) for value in values), dtype=dtype, axis=axis)

    def count_up(self, count: Value) -> Value:
        """0, 1, … count - 1, int64."""
        zero, one = self.value(0, np.int64), self.value(1, np.int64)
        return self.node("Range", zero, count, one, dtype=np.int64)

    def embed(self, model: Any, feeds: dict[str, Value], prefix: str) -> Value:
        """Another model's graph inside this one, fed with values: its first output."""
        part = self.onnx.compose.add_prefix(model, prefix).graph
        for item in part.input:
            value = feeds[item.name.removeprefix(prefix)]
            self.nodes.append(self.onnx.helper.make_node("Identity", [value.name], [item.name]))
        self.nodes.extend(part.node)
        self.constants.extend(part.initializer)
        output = part.output[0]
        return Value(self, output.name, self.onnx.helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type))

    def _info(self, name: str, dtype: Any, shape: Sequence[int | str]) -> Any:
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.onnx.helper.make_tensor_value_info(name, kind, list(shape))
