"""The traced step of a stack as a graph of tensor operations: made lean, and weighed.

A step of a small stack is a few dozen operations of some 20 microseconds, so an operation that only renames a tensor,
or a product and a difference that could be one pass over memory, are worth taking out.
"""

from dataclasses import dataclass

import torch
from torch.fx import GraphModule, Node
from torch.utils.flop_counter import flop_registry

ATEN = torch.ops.aten
RENAMES = (ATEN.expand.default, ATEN.view.default, ATEN._unsafe_view.default, ATEN.alias.default, ATEN.detach.default)
VIEWS = (*RENAMES, ATEN.transpose.int, ATEN.permute.default, ATEN.unsqueeze.default, ATEN.select.int, ATEN.t.default)


FUNCTIONS = (
    *(
        getattr(ATEN, name).default
        for name in ("tanh", "erf", "exp", "log", "log1p", "sqrt", "sin", "cos", "logaddexp")
    ),
    *(ATEN.pow.Tensor_Scalar, ATEN.pow.Tensor_Tensor, ATEN._log_softmax.default, ATEN._softmax.default),
)
"""Those that take several nanoseconds a number on a core."""


@dataclass(frozen=True)
class Rates:
    """Seconds that a call, a byte written, a byte of a function's values and an operation cost, roughly."""

    call: float
    byte: float
    function: float
    operation: float


CORE = Rates(7e-6, 1.5e-10, 6e-10, 1.5e-11)
"""A core of an EPYC: 37 of 43 stacks of eleven studies took half to twice as long as said, at most 3.1 times."""

GPU = Rates(2.5e-6, 1e-12, 1e-12, 2e-14)
"""An H200, to a quarter on two multi-layer perceptrons (docs/gpu.md)."""


def lean(traced: GraphModule) -> GraphModule:
    """Takes out operations that change nothing, and makes ``p - a * b`` one operation; numbers agree to rounding."""
    graph = traced.graph
    for node in list(graph.nodes):
        if node.op != "call_function":
            continue
        same = _same_as(node)
        if same is None and node.target == ATEN.sub.Tensor and _is_lone_product(node):
            with graph.inserting_before(node):
                same = graph.call_function(ATEN.addcmul.default, (node.args[0], *node.args[1].args), {"value": -1})
            same.meta = dict(node.meta)
        if same is not None:
            node.replace_all_uses_with(same)
            graph.erase_node(node)
    graph.eliminate_dead_code()
    traced.recompile()
    return traced


def fusible(traced: GraphModule) -> GraphModule:
    """Writes what spreads one number a row over zeros, as a cross-entropy's gradient does, so that a compiler fuses it.

    A scatter is a kernel of its own, with atomic additions; a comparison with the class numbers is not.
    """
    graph = traced.graph
    for node in list(graph.nodes):
        if node.target != ATEN.scatter_add.default or node.args[0].target != ATEN.new_zeros.default:
            continue
        zeros, dim, index, source = node.args
        shape, device = zeros.meta["val"].shape, zeros.meta["val"].device
        one_each = [1 if axis == dim else size for axis, size in enumerate(shape)]
        if not list(index.meta["val"].shape) == list(source.meta["val"].shape) == one_each:
            continue
        with graph.inserting_before(node):
            place = graph.call_function(ATEN.arange.default, (shape[dim],), {"device": device})
            place = graph.call_function(ATEN.view.default, (place, [-1 if a == dim else 1 for a in range(len(shape))]))
            there = graph.call_function(ATEN.eq.Tensor, (index, place))
            node.replace_all_uses_with(graph.call_function(ATEN.where.ScalarOther, (there, source, 0)))
        graph.erase_node(node)
    graph.eliminate_dead_code()
    traced.recompile()
    return traced


def _same_as(node: Node) -> Node | None:
    """The node whose tensor this one only names again."""
    source = node.args[0] if node.args else None
    if not isinstance(source, Node):
        return None
    if node.target in RENAMES and source.meta["val"].shape == node.meta["val"].shape:
        return source
    if node.target == ATEN.mul.Scalar and node.args[1] == 1:
        return source
    turned_twice = node.target == ATEN.transpose.int == source.target and node.args[1:] == source.args[1:]
    return source.args[0] if turned_twice else None


def _is_lone_product(node: Node) -> bool:
    """Whether a difference of tensors subtracts a product that nothing else needs."""
    p, product = node.args[:2]
    if node.kwargs or not isinstance(p, Node) or not isinstance(product, Node):
        return False
    tensors = product.target == ATEN.mul.Tensor and all(isinstance(factor, Node) for factor in product.args)
    return tensors and len(product.users) == 1 and product.meta["val"].dtype == p.meta["val"].dtype


def seconds(traced: GraphModule, rates: Rates = CORE) -> float:
    """What one call of a traced step costs, roughly, from its shapes alone: the same on every machine."""
    total = 0.0
    for node in traced.graph.nodes:
        if node.op != "call_function" or node.target in VIEWS:
            continue
        made = node.meta.get("val")
        tensors = [value for value in (made if isinstance(made, tuple | list) else [made]) if torch.is_tensor(value)]
        rate = rates.function if node.target in FUNCTIONS else rates.byte
        total += rates.call + rate * sum(value.numel() * value.element_size() for value in tensors)
        count = flop_registry.get(getattr(node.target, "overloadpacket", None))
        if count is not None:
            args = torch.fx.node.map_arg(node.args, lambda each: each.meta["val"])
            total += rates.operation * count(*args, **node.kwargs, out_val=made)
    return total


def peak(traced: GraphModule) -> int:
    """Bytes that one call of a traced step holds at most beside its inputs, each tensor up to its last use."""
    last: dict[Node, Node] = {}
    for node in traced.graph.nodes:
        for source in node.all_input_nodes:
            last[source] = node
    held = highest = 0
    for node in traced.graph.nodes:
        if node.op == "call_function" and node.target not in VIEWS:
            held += _bytes(node)
            highest = max(highest, held)
        held -= sum(_bytes(s) for s in node.all_input_nodes if last[s] is node and s.op == "call_function")
    return highest


def _bytes(node: Node) -> int:
    made = node.meta.get("val")
    tensors = made if isinstance(made, tuple | list) else [made]
    return 0 if node.target in VIEWS else sum(t.numel() * t.element_size() for t in tensors if torch.is_tensor(t))
