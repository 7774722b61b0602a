"""The computational graph of a scalar function: values forward, gradients backward (001:822-1059).

JAX knows a function as a list of elementary operations, its jaxpr. `trace` reads that list and does
by hand what `jax.grad` does inside: it computes every value from the inputs to the output, the local
gradient of every operation, and from the output back the gradient of every node by the chain rule.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from jaxdl.errors import require

# As on the slides; other operations keep JAX's name.
SYMBOLS = {"mul": "×", "add": "+", "add_any": "+", "sub": "−", "neg": "−", "div": "÷", "square": "^2"}


class Node(NamedTuple):
    """A number in the computation of a function."""

    name: str  # of an input, or given by `jax.ad_checkpoint.checkpoint_name`; else empty
    operation: str  # "input", "constant", "×", "^2", "exp", ...
    inputs: tuple[int, ...]  # positions in the graph of the nodes it is computed from
    value: float  # forward
    local: tuple[float, ...]  # derivative of the value by each of the inputs
    gradient: float  # derivative of the output by the value, times what came from above


def trace(function: Callable[..., Any], *inputs: float, upstream: float = 1.0) -> tuple[Node, ...]:
    """Read the computational graph of a function at a point.

    The gradient of a node is the sum, over the nodes that use it, of their gradient times their
    local gradient (001:830). Functions under `jax.jit` are looked into; functions with a
    derivative of their own, such as `jax.nn.relu`, are one node. In float64 under
    `with jax.enable_x64(True):`.

    Args:
      function: of scalars, to a scalar.
      inputs: the point, one number per argument.
      upstream: derivative of what follows by the function's value (dL/dz on 001:930); 1 makes the
        function itself the end.

    Returns:
      Nodes, each after those that it is computed from: the inputs first, the output last.

    Raises:
      InputError: the function works on arrays, or has several results.

    >>> x, y, z = trace(lambda x, y: x * y, 2.0, 3.0, upstream=5.0)
    >>> z.value, z.local, x.gradient, y.gradient
    (6.0, (3.0, 2.0), 15.0, 10.0)
    """
    scalars = [jnp.array(value, jnp.result_type(float)) for value in inputs]
    closed = jax.make_jaxpr(function)(*scalars)
    remedy = "reduce to one number, for example with jnp.sum, and pass arrays number by number"
    shapes = [out.shape for out in closed.out_avals]
    require(shapes == [()], "function", shapes, "a function to one scalar", remedy)
    build = _Build()
    named = zip(_names(function, len(inputs)), scalars, strict=True)
    positions = [build.add(name, "input", (), value) for name, value in named]
    (output,) = build.run(closed.jaxpr, closed.consts, positions)
    if output < len(inputs):  # the function hands on what it was given
        output = build.add("", "=", (output,), build.values[output], (1.0,))
    return _backward(build.kept(output, len(inputs)), upstream)


def table(nodes: Sequence[Node]) -> str:
    """The graph as lines of text: one per node, with its value, local gradients and gradient.

    >>> print(table(trace(lambda x: 3.0 * x, 2.0)))
    node  operation   value  local gradients  gradient
    x     input           2                          3
    #1    constant        3                          2
    #2    #1 × x          6  2, 3                    1
    """
    rows = [("node", "operation", "value", "local gradients", "gradient")]
    labels = [node.name or f"#{i}" for i, node in enumerate(nodes)]
    for label, node in zip(labels, nodes, strict=True):
        used = [labels[i] for i in node.inputs]
        local = ", ".join(f"{each:.6g}" for each in node.local)
        rows.append((label, _said(node.operation, used), f"{node.value:.6g}", local, f"{node.gradient:.6g}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [f"{{:<{w}}}" if i in (0, 1, 3) else f"{{:>{w}}}" for i, w in enumerate(widths)]
    return "\n".join("  ".join(aligned).format(*row) for row in rows)


def depth(nodes: Sequence[Node]) -> int:
    """Operations on the longest way from an input to the output (001:1064-1078)."""
    steps: list[int] = []
    for node in nodes:
        steps.append(1 + max((steps[i] for i in node.inputs), default=-1))
    return steps[-1]


class _Build:
    """The forward pass in the making: a node and its value per position."""

    def __init__(self):
        self.nodes: list[Node] = []
        self.values: list[jax.Array] = []

    def add(
        self, name: str, operation: str, inputs: tuple[int, ...], value: Any, local: tuple[float, ...] = ()
    ) -> int:
        self.nodes.append(Node(name, operation, inputs, float(value), local, 0.0))
        self.values.append(jnp.asarray(value))
        return len(self.nodes) - 1

    def run(self, jaxpr: Any, constants: Sequence[Any], positions: Sequence[int]) -> list[int]:
        """Add the operations of a jaxpr; from the positions of its inputs to those of its outputs."""
        place = dict(zip(jaxpr.invars, positions, strict=True))
        for var, value in zip(jaxpr.constvars, constants, strict=True):
            self._require_scalar(var)
            place[var] = self.add("", "constant", (), value)

        def find(atom: Any) -> int:
            self._require_scalar(atom)
            return self.add("", "constant", (), atom.val) if isinstance(atom, Literal) else place[atom]

        for equation in jaxpr.eqns:
            inputs = tuple(find(atom) for atom in equation.invars)
            if equation.primitive.name in ("jit", "pjit"):
                inner = equation.params["jaxpr"]
                outputs = self.run(inner.jaxpr, inner.consts, inputs)
            else:
                outputs = [self._step(equation, inputs)]
            place.update(zip(equation.outvars, outputs, strict=True))
        return [find(atom) for atom in jaxpr.outvars]

    def _step(self, equation: Any, inputs: tuple[int, ...]) -> int:
        values = [self.values[i] for i in inputs]
        if equation.primitive.name == "name":
            self.nodes[inputs[0]] = self.nodes[inputs[0]]._replace(name=equation.params["name"])
            return inputs[0]
        self._require_scalar(equation.outvars[0])
        require(len(equation.outvars) == 1, "function", equation.primitive.name, "operations with one result",
                "write the function without it")  # fmt: skip
        apply = _function(equation, values)
        result = apply(*values)
        smooth = [jnp.issubdtype(value.dtype, jnp.inexact) for value in (result, *values)]
        chosen = [i for i, ok in enumerate(smooth[1:]) if ok and smooth[0]]  # numbers, no truth values
        slopes = jax.grad(apply, chosen)(*values) if chosen else ()
        local = dict(zip(chosen, map(float, slopes), strict=True))
        return self.add("", _operation(equation), inputs, result,
                        tuple(local.get(i, 0.0) for i in range(len(inputs))))  # fmt: skip

    def kept(self, output: int, inputs: int) -> list[Node]:
        """The inputs and what the output is made of, numbered anew."""
        needed = {output}
        for i in range(output, -1, -1):
            needed |= set(self.nodes[i].inputs) if i in needed else set()
        kept = sorted(needed | set(range(inputs)))
        new = {old: i for i, old in enumerate(kept)}
        return [self.nodes[i]._replace(inputs=tuple(new[j] for j in self.nodes[i].inputs)) for i in kept]

    @staticmethod
    def _require_scalar(atom: Any) -> None:
        remedy = "pass the numbers of an array one by one"
        require(atom.aval.shape == (), "function", atom.aval.shape, "operations on scalars", remedy)


def _backward(nodes: Sequence[Node], upstream: float) -> tuple[Node, ...]:
    gradients = [0.0] * (len(nodes) - 1) + [float(upstream)]
    for i in range(len(nodes) - 1, -1, -1):
        for source, local in zip(nodes[i].inputs, nodes[i].local, strict=True):
            gradients[source] += gradients[i] * local
    return tuple(node._replace(gradient=g) for node, g in zip(nodes, gradients, strict=True))


def _function(equation: Any, values: Sequence[jax.Array]) -> Callable[..., jax.Array]:
    """The operation of an equation by itself; if an input is used twice, as two arguments."""
    empty = jax.make_jaxpr(lambda *values: values[0])(*values).jaxpr  # for its variables
    alone = equation.replace(invars=empty.invars)
    call = jaxpr_as_fun(ClosedJaxpr(empty.replace(eqns=[alone], outvars=alone.outvars), []))
    return lambda *values: call(*values)[0]


def _operation(equation: Any) -> str:
    name = equation.primitive.name
    if name == "integer_pow":
        return f"^{equation.params['y']}"
    if name.startswith("custom_"):
        inner = equation.params.get("call_jaxpr") or equation.params["fun_jaxpr"]
        return str(inner.jaxpr.debug_info.func_name)
    return SYMBOLS.get(name) or name


def _said(operation: str, used: Sequence[str]) -> str:
    if operation[0] == "^":
        return f"{used[0]}{operation}"
    if len(used) == 2 and len(operation) == 1:
        return f"{used[0]} {operation} {used[1]}"
    return f"{operation} {', '.join(used)}".strip()


def _names(function: Callable[..., Any], count: int) -> list[str]:
    named = list(inspect.signature(function).parameters)
    return named if len(named) == count else [f"x{i + 1}" for i in range(count)]
