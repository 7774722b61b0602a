"""What a compiled program says about itself: how long it is, and what its devices send each other.

XLA's text of a program lists its computations; a loop calls one of them by name, with the number of
its turns where that is known. Everything is counted as often as it is done.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
BITS = {"pred": 8, "bf16": 16, "u8": 8, "s8": 8}  # others have their number of bits in their name

# An instruction: %name = type operation(operands), attributes
INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = (.+?) ([a-z][\w\-]*)\((.*)$")
COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
CALLED = re.compile(r"(?:body|condition|calls|to_apply|true_computation|false_computation)=%?([\w.\-]+)")
BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
ARRAY = re.compile(r"([a-z]+\d*[\w]*)\[([\d,]*)\]")


class Call(NamedTuple):
    """One instruction."""

    operation: str
    type: str  # of its result
    rest: str  # operands and attributes
    called: tuple[str, ...]  # computations
    turns: int  # how often it calls them


Computation = dict[str, Call]  # by the name of the result


def instructions(text: str) -> int:
    """How many instructions a program has, loops counted once: what the compiler had to work on.

    >>> instructions(EXAMPLE)
    7
    """
    return sum(INSTRUCTION.match(line) is not None for line in text.splitlines())


def collectives(text: str) -> dict[str, tuple[int, int]]:
    """How often each kind of collective is done in a run of the program, and its bytes in all.

    The bytes are those of the result on one device: the size of the array that is summed by an
    all-reduce, or put together by an all-gather.

    Args:
      text: `compiled.as_text()`.

    Raises:
      ValueError: a collective in a loop whose number of turns the program does not say.

    >>> collectives(EXAMPLE)
    {'all-reduce': (3, 240)}
    """
    times: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for call, _, often in _executed(text):
        kind = call.operation.removesuffix("-start")
        if kind in COLLECTIVES:
            if often < 1:
                raise ValueError(f"{kind} in a loop of unknown length")
            times[kind] += often
            size[kind] += often * array_bytes(call.type)
    return {kind: (times[kind], size[kind]) for kind in sorted(times)}


def repeated(text: str) -> int:
    """The operations of matrix products in loops after the first turn, which `cost_analysis` leaves out.

    >>> repeated(EXAMPLE)
    160
    """
    total = 0
    for call, computation, often in _executed(text):
        if call.operation == "dot" and often > 1:
            left = re.findall(r"%([\w.\-]+)", call.rest)[0]
            axes = re.findall(r"lhs_contracting_dims=\{([\d,]*)\}", call.rest)[0]
            sides = _shape(computation[left].type)
            summed = math.prod(sides[int(axis)] for axis in axes.split(",") if axis)
            total += (often - 1) * 2 * math.prod(_shape(call.type)) * summed
    return total


def array_bytes(kind: str) -> int:
    """The bytes of an array, or of all arrays of a tuple, by its type in XLA's text.

    >>> array_bytes("(f32[300]{0}, bf16[2,3]{1,0}, f32[])")
    1216
    """
    total = 0
    for name, shape in ARRAY.findall(kind):
        bits = BITS.get(name) or int(re.sub(r"\D", "", name))
        total += math.prod(map(int, filter(None, shape.split(",")))) * bits // 8
    return total


def _shape(kind: str) -> list[int]:
    """The sides of an array."""
    found = ARRAY.search(kind)
    assert found
    return [int(side) for side in found[2].split(",") if side]


def _executed(text: str) -> Iterator[tuple[Call, Computation, int]]:
    """Every instruction that is done, with its computation, and how often it is done."""
    computations, entry = _computations(text)

    def visit(name: str, often: int) -> Iterator[tuple[Call, Computation, int]]:
        for call in computations.get(name, {}).values():
            yield call, computations[name], often
            for other in call.called:
                yield from visit(other, often * call.turns)

    return visit(entry, 1)


def _computations(text: str) -> tuple[dict[str, Computation], str]:
    """The instructions by computation and name, and the computation that is done first."""
    found: dict[str, Computation] = {}
    entry = here = ""
    for line in text.splitlines():
        if begins := COMPUTATION.match(line):
            here = begins[2]
            found[here] = {}
            entry = here if begins[1] else entry
        elif parts := INSTRUCTION.match(line):
            name, kind, operation, rest = parts.groups()
            called = (*CALLED.findall(rest), *re.findall(r"[\w.\-]+", " ".join(BRANCHES.findall(rest))))
            # The sum inside of an all-reduce is no program of its own.
            called = () if operation.removesuffix("-start") in COLLECTIVES else called
            turns = TURNS.search(rest)
            often = 1 if operation != "while" else int(turns[1]) if turns else 0
            found[here][name] = Call(operation, kind, rest, called, often)
    return found, entry


EXAMPLE = """HloModule step
%sum (a: f32[], b: f32[]) -> f32[] {
  ROOT %add = f32[] add(%a, %b)
}
%body (carry: (s32[], f32[20])) -> (s32[], f32[20]) {
  %y = f32[2,20]{1,0} parameter(0)
  %squares = f32[2,1]{1,0} dot(%y, %z), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  %reduced = f32[20]{0} all-reduce(%x), channel_id=1, to_apply=%sum
}
ENTRY %main (x: f32[20]) -> f32[20] {
  %x = f32[20]{0} parameter(0)
  %loop = (s32[], f32[20]{0}) while(%start), body=%body, backend_config={"known_trip_count":{"n":"3"}}
  ROOT %result = f32[20]{0} get-tuple-element(%loop), index=1
}"""
