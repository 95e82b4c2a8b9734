"""Reads functions out of kimic's phase dumps: as much of MLIR's text as they use, no more.

A value is a key: ("argument", number), ("input", name), ("weight", symbol), ("cache", symbol), ("call", nth, result) or
("op", text, result). Operations of one text on the same operands are one operation, so equal values have equal keys.
"""
import dataclasses
import re

SHAPE_OPS = ("tensor.expand_shape", "tensor.collapse_shape", "tensor.extract_slice")
INDEX_OPS = ("arith.constant", "tensor.dim")


@dataclasses.dataclass(frozen=True)
class Op:
    name: str
    operands: tuple  # keys
    attributes: str  # the text between operands and types
    types: tuple  # of the results

    @property
    def results(self):
        return tuple(("op", self, i) for i in range(len(self.types)))


def split_types(text):
    """'tensor<?x8xf32>, <576 x bf16>' → what stands between the brackets."""
    return tuple(re.findall(r"<([^<>]*)>", text))


def statements(text, function):
    """(result names, op, everything behind its name) of each line of a function."""
    body = re.search(rf"^  func\.func (?:private )?@{function}\(.*\n((?:    .*\n)*?)  \}}", text, re.MULTILINE)[1]
    for line in body.splitlines():
        found = re.match(r"\s*(?:(%.*?) = )?\"?([\w.]+)\"?(.*)", line)
        names = [name.strip() for name in (found[1] or "").split(",") if name.strip()]
        if len(names) == 1 and ":" in names[0]:
            base, count = names[0].split(":")
            names = [f"{base}#{i}" for i in range(int(count))]
        yield names, found[2], found[3]


def result_types(rest):
    """Behind the last arrow, `into` or `to`, else behind the colon; a shard of `:` inside `<..>` does not count."""
    tail = re.split(r" -> | into | to (?=tensor)", rest)[-1] if re.search(r" -> | into | to tensor", rest) else \
        rest.rsplit(" : ", 1)[-1]
    return split_types(tail)


class Function:
    """`ops` in program order, without those that only compute indices; `calls` are (kernel, operands, result types)."""

    def __init__(self, text, name):
        self.ops, self.calls, self.types, self.values, self.names = [], [], {}, {}, {}
        for match in re.finditer(r"(%arg(\d+)): (\S+)", re.search(rf"func\.func (?:private )?@{name}\((.*)", text)[1]):
            self._define(match[1], ("argument", int(match[2])), "".join(split_types(match[3])))
        other_calls = 0
        for names, op, rest in statements(text, name):
            if op in INDEX_OPS or op == "return":
                continue
            words = re.findall(r"%[\w#]+", rest)
            operands = tuple(self.values[word] for word in words if word in self.values)  # indices are no values here
            types = result_types(rest)
            if op in ("kimi.load_weight", "kimi.load_cache", "kimi.step_input"):
                kind = {"load_weight": "weight", "load_cache": "cache", "step_input": "input"}[op.split(".")[1]]
                symbol = re.search(r"@([\w.]+)|<(\w+)>", rest)
                self._define(names[0], (kind, symbol[1] or symbol[2]), types[-1])
            elif op == "kernel.call":
                self.calls.append((re.search(r"@(\w+)", rest)[1], operands, names, types if names else ()))
                for i, result in enumerate(names):
                    self._define(result, ("kernel", result), types[i])
            elif op in ("call", "func.call"):
                for i, result in enumerate(names):
                    self._define(result, ("call", other_calls, i), types[i])
                other_calls += 1
            elif op.startswith("kimi.") or op in SHAPE_OPS:
                self._add_op(op, names, operands[:1] if op in SHAPE_OPS else operands, rest, types if names else ())

    def _define(self, name, key, type_):
        self.values[name] = key
        self.types[key] = type_

    def _add_op(self, name, names, operands, rest, types):
        attributes = re.sub(r"%[\w#]+", "%", rest.split(" : ")[0] if " : tensor" in rest else rest)
        op = Op(name.removeprefix("kimi."), operands, attributes.strip(), types)
        if op not in self.ops:
            self.ops.append(op)
        for result, key, type_ in zip(names, op.results, types):
            self._define(result, key, type_)


def subgraph(op, stops):
    """The operations between `stops` and `op`, `op` included, operands first, and the stops that were met; None where a
    value that is no stop has no operation."""
    ordered, met = [], set()

    def visit(current):
        for key in current.operands:
            if key in stops:
                met.add(key)
            elif key[0] != "op":
                return False
            elif key[1] not in ordered and not visit(key[1]):
                return False
        ordered.append(current)
        return True

    return (ordered, met) if visit(op) else None
