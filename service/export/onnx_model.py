"""A network as an ONNX model in float64: inputs and predictions in the units of the data, labels by number.

Layers are the body of one Scan, so that the graph has one size at every depth. Only the child process imports this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from service.export.network import KEY
from service.export.onnx_nodes import Nodes, activation, slope
from service.export.stage_values import stage_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from service.export.network import Network

OPSET: Final = 17
IR: Final = 8
CORRECTIONS: Final = 50
"""Newton corrections after which an implicit layer counts as not solved, and gives NaN."""
CLOSE: Final = 1e-8
INVERSIONS: Final = 30
"""Steps of Newton's and Schulz' iteration for an inverse, which double its digits: enough for a condition of 1e4."""


def onnx_model(network: Network, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a model with the input ``inputs`` (samples, f) and the outputs ``predictions`` (samples, m), ``labels``.

    ``labels`` (samples,) are classes 0..m−1, or −1 and 1, as the service's evaluations give them; their names are in
    the metadata under `KEY`, with everything else that is known of the network.
    """
    main = Nodes()
    final = _layers(main, network, arrays, _scaled(main, network))
    outputs = _head(main, network, arrays, final)
    graph = helper.make_graph(
        main.nodes,
        network.model,
        [helper.make_tensor_value_info("inputs", TensorProto.DOUBLE, ["samples", network.input_dim])],
        outputs,
        main.constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="deeplimit",
        producer_version=network.version,
    )
    helper.set_model_props(model, {KEY: network.model_dump_json()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _scaled(main: Nodes, network: Network) -> str:
    x, scaling = "inputs", network.standardisation
    if scaling.mean is not None and scaling.scale is not None:
        shifted = main.op("Sub", x, main.constant(np.array(scaling.mean, np.float64)))
        x = main.op("Div", shifted, main.constant(np.array(scaling.scale, np.float64)))
    pads = np.array([0, 0, 0, network.state_dim - network.input_dim], np.int64)
    return main.op("Pad", x, main.constant(pads))


def _layers(main: Nodes, network: Network, arrays: Mapping[str, NDArray[Any]], x: str) -> str:
    """Add all layers, and return the last state."""
    body = Nodes(main)
    read: list[list[str]] = []
    values: list[str] = []
    infos = [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["samples", network.state_dim])]
    for stage in stage_values(network, arrays):
        read.append([])
        for array in stage:
            value = array.transpose(0, 2, 1) if array.ndim > 2 else array  # noqa: PLR2004 - matrices, as they multiply rows
            values.append(main.constant(np.ascontiguousarray(value)))
            read[-1].append(body.name("stage"))
            infos.append(helper.make_tensor_value_info(read[-1][-1], TensorProto.DOUBLE, value.shape[1:]))
    h = network.horizon / network.steps
    after = (
        _implicit(body, network, h, read[0])
        if network.integrator == "implicit_euler"
        else _explicit(body, network, h, read)
    )
    after = body.op("Identity", after)
    out = helper.make_tensor_value_info(after, TensorProto.DOUBLE, ["samples", network.state_dim])
    graph = helper.make_graph(body.nodes, "layer", infos, [out])
    return main.op("Scan", x, *values, body=graph, num_scan_inputs=len(values))


def _explicit(body: Nodes, network: Network, h: float, read: Sequence[Sequence[str]]) -> str:
    op = body.op

    def k(x: str, stage: Sequence[str]) -> str:
        a = activation(body, network.activation, op("Add", op("MatMul", x, stage[0]), stage[1]))
        return op("MatMul", a, stage[2]) if network.two_layer else a

    def ahead(step: float, slope_there: str) -> str:
        return op("Add", "x", op("Mul", slope_there, step))

    if network.integrator == "euler":
        return ahead(h, k("x", read[0]))
    if network.integrator == "midpoint":
        return ahead(h, k(ahead(h / 2, k("x", read[0])), read[1]))
    start, half, end = read
    k1 = k("x", start)
    k2 = k(ahead(h / 2, k1), half)
    k3 = k(ahead(h / 2, k2), half)
    k4 = k(ahead(h, k3), end)
    inner = op("Mul", op("Add", k2, k3), 2.0)
    return ahead(h / 6, op("Add", op("Add", k1, inner), k4))


def _implicit(body: Nodes, network: Network, h: float, stage: Sequence[str]) -> str:
    """Add the solution of y = x + h σ(K y + b), by Newton's method until a correction is nothing, or NaN."""
    d = network.state_dim
    loop = Nodes(body)
    op = loop.op
    z = op("Add", op("MatMul", "y", stage[0]), stage[1])
    sloped = op("Unsqueeze", op("Mul", slope(loop, network.activation, z), h), loop.constant(np.array([2], np.int64)))
    K = op("Transpose", stage[0], perm=[1, 0])
    jacobian = op("Sub", loop.constant(np.eye(d)), op("Mul", sloped, K))
    a = activation(loop, network.activation, z)
    residual = op("Sub", op("Add", "x", op("Mul", a, h)), "y")
    column = op("Unsqueeze", residual, loop.constant(np.array([2], np.int64)))
    change = op("Squeeze", op("MatMul", _inverse(loop, jacobian, d), column), loop.constant(np.array([2], np.int64)))
    after = op("Add", "y", change)
    size, scale = (op("ReduceMax", op("Abs", tensor), keepdims=0) for tensor in (change, after))
    unsolved = op("Not", op("LessOrEqual", size, op("Mul", op("Max", scale, 1.0), CLOSE)))
    again = op("Identity", unsolved)
    single: list[str | int | None] = []
    several: list[str | int | None] = ["samples", d]
    graph = helper.make_graph(
        loop.nodes,
        "newton",
        [
            helper.make_tensor_value_info("iteration", TensorProto.INT64, []),
            helper.make_tensor_value_info("going_on", TensorProto.BOOL, single),
            helper.make_tensor_value_info("y", TensorProto.DOUBLE, several),
            helper.make_tensor_value_info("unsolved_before", TensorProto.BOOL, single),
        ],
        [
            helper.make_tensor_value_info(unsolved, TensorProto.BOOL, single),
            helper.make_tensor_value_info(after, TensorProto.DOUBLE, several),
            helper.make_tensor_value_info(again, TensorProto.BOOL, single),
        ],
    )
    most, going = body.constant(np.int64(CORRECTIONS)), body.constant(np.array(True))
    solution, left = body.name("solution"), body.name("unsolved")
    body.nodes.append(helper.make_node("Loop", [most, going, "x", going], [solution, left], body=graph))
    return body.op("Where", left, body.constant(np.float64(np.nan)), solution)


def _inverse(nodes: Nodes, matrices: str, d: int) -> str:
    """Add the inverses of matrices (samples, d, d), by Z ← Z (2 − A Z) from Aᵀ/(‖A‖₁ ‖A‖_∞)."""
    op = nodes.op
    size = op("Abs", matrices)
    by_rows = op("ReduceMax", op("ReduceSum", size, nodes.constant(np.array([2], np.int64)), keepdims=1), axes=[1])
    by_columns = op("ReduceMax", op("ReduceSum", size, nodes.constant(np.array([1], np.int64)), keepdims=1), axes=[2])
    start = op("Div", op("Transpose", matrices, perm=[0, 2, 1]), op("Mul", by_rows, by_columns))
    inner = Nodes(nodes)
    twice = nodes.constant(2.0 * np.eye(d))
    better = inner.op("MatMul", "z_before", inner.op("Sub", twice, inner.op("MatMul", matrices, "z_before")))
    on = inner.op("Identity", "on_before")
    shape: list[str | int | None] = ["samples", d, d]
    graph = helper.make_graph(
        inner.nodes,
        "inverse",
        [
            helper.make_tensor_value_info("inversion", TensorProto.INT64, []),
            helper.make_tensor_value_info("on_before", TensorProto.BOOL, []),
            helper.make_tensor_value_info("z_before", TensorProto.DOUBLE, shape),
        ],
        [
            helper.make_tensor_value_info(on, TensorProto.BOOL, []),
            helper.make_tensor_value_info(better, TensorProto.DOUBLE, shape),
        ],
    )
    most, going = nodes.constant(np.int64(INVERSIONS)), nodes.constant(np.array(True))
    made = nodes.name("inverse")
    nodes.nodes.append(helper.make_node("Loop", [most, going, start], [made], body=graph))
    return made


def _head(main: Nodes, network: Network, arrays: Mapping[str, NDArray[Any]], x: str) -> list[onnx.ValueInfoProto]:
    """Add the output, and return what the graph gives."""
    W, c = (arrays[name].astype(np.float64) for name in ("W", "c"))
    z = main.op("Add", main.op("MatMul", x, main.constant(np.ascontiguousarray(W.T))), main.constant(c))
    scaling = network.standardisation
    if network.output == "softmax":
        z = main.op("Softmax", z, axis=1)
        labels = main.op("ArgMax", z, axis=1, keepdims=0)
    elif network.output == "logistic":
        z = main.op("Sigmoid", z)
        side = main.op("Squeeze", main.op("Greater", z, 0.5), main.constant(np.array([1], np.int64)))
        labels = main.op("Where", side, main.constant(np.int64(1)), main.constant(np.int64(-1)))
    else:
        labels = ""
        if scaling.target_mean is not None and scaling.target_scale is not None:
            z = main.op("Mul", z, main.constant(np.array(scaling.target_scale, np.float64)))
            z = main.op("Add", z, main.constant(np.array(scaling.target_mean, np.float64)))
    main.nodes.append(helper.make_node("Identity", [z], ["predictions"]))
    outputs = [helper.make_tensor_value_info("predictions", TensorProto.DOUBLE, ["samples", network.output_dim])]
    if labels:
        main.nodes.append(helper.make_node("Identity", [labels], ["labels"]))
        outputs.append(helper.make_tensor_value_info("labels", TensorProto.INT64, ["samples"]))
    return outputs
