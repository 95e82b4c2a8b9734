"""Feeds every example of the .td descriptions to kimi-opt.

An operation's example names values and symbols that it does not define. They are made up here from the example itself:
operand types stand behind the colon in the order of the operands (an optional one's last), `[%layer]` is an index, and a symbol is declared as
what the operation loads or calls. Exits 1 when an example does not parse or an operation has none.
"""
import argparse
import pathlib
import re
import subprocess
import sys

DEFINITION = re.compile(r"^def \w+ *: *(?P<base>\w+)(?P<rest>.*?)(?=^def |\Z)", re.S | re.M)
DESCRIPTION = re.compile(r"let description = \[\{(.*?)\}\];", re.S)
BLOCK = re.compile(r"```mlir\n(.*?)```", re.S)
INLINE = re.compile(r"Example:\s*`(?!``)([^`]*)`", re.S)


def split_top(text):
    """Splits at commas outside brackets."""
    parts, depth, current = [], 0, ""
    for index, char in enumerate(text):
        if char in "<([{":
            depth += 1
        elif char in ")]}" or (char == ">" and text[index - 1] != "-"):
            depth -= 1
        if char == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [part for part in parts + [current.strip()] if part]


def signature(statement):
    """The operand types and the result types behind the last colon outside brackets."""
    depth, colon = 0, None
    for index, char in enumerate(statement):
        if char in "<([{":
            depth += 1
        elif char in ")]}" or (char == ">" and statement[index - 1] != "-"):
            depth -= 1
        elif char == ":" and depth == 0:
            colon = index
    if colon is None:
        return [], []
    operands, _, results = statement[colon + 1:].partition("->")
    types = []
    for part in split_top(operands.strip()):
        types += split_top(part[1:-1]) if part.startswith("(") else [part]
    return types, split_top(results.strip().strip("()"))


def statements(block):
    """One string per operation at the example's top level: a deeper line, and a closing brace, goes on."""
    lines = [line for line in block.splitlines() if line.strip()]
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    joined = []
    for line in lines:
        goes_on = len(line) - len(line.lstrip()) > indent or line.strip().startswith("}")
        if goes_on and joined:
            joined[-1] += "\n" + line
        else:
            joined.append(line.strip())
    return joined


def with_dims(type_):
    """A kernel's argument or result: every `?` is the number of tokens."""
    extents = ", ".join(["#kernel.extent<tokens * 1 by 1>"] * type_.count("?"))
    return f"{type_} {{kernel.dims = [{extents}]}}"


class Wrapper:
    """Turns the statements of one example into a module."""

    def __init__(self):
        self.symbols, self.body, self.arguments, self.defined = [], [], {}, set()

    def declare(self, operation, name, operands, results):
        if operation == "kimi.load_weight":
            layers = " layers 0 count 1" if self.arguments.get("%layer") else ""
            source = "a.{layer}" if layers else "a"
            self.symbols.append(f'kimi.weight {name} : {operands[0]} from "{source}"{layers}')
        elif operation == "kimi.load_cache":
            self.symbols.append(f"kimi.cache {name} : {operands[0]} layers 1")
        elif operation == "kernel.call":
            arguments, declared = ", ".join(map(with_dims, operands)), ", ".join(map(with_dims, results))
            self.symbols.append(f"kernel.func private {name}({arguments}) -> ({declared})")

    def add(self, statement):
        head, _, tail = statement.partition(" = ") if statement.startswith("%") else ("", "", statement)
        operation = re.match(r"[\w.]+", tail).group()
        operands, results = signature(tail)
        if operation in ("module", "func.func", "kernel.func", "kimi.weight", "kimi.cache", "shard.grid"):
            self.symbols.append(statement)
            return
        for index in re.findall(r"\[(%\w+)\]|from (%\w+)", tail):
            self.arguments["".join(index)] = "index"
        free = [name for name in re.findall(r"%\w+", tail.split(" : ")[0]) if self.arguments.get(name) != "index"]
        free.sort(key=lambda name: f"rows {name} " in tail)  # an optional operand's type comes last
        for name, type_ in zip(free, operands):
            if name not in self.defined:
                self.arguments.setdefault(name, type_)
        for name in re.findall(r"@[\w.]+", tail)[:1]:
            self.declare(operation, name, operands, results)
        self.defined.update(re.findall(r"%\w+", head))
        self.body.append(statement)

    def module(self):
        text = "\n".join(self.symbols)
        if self.body and self.body[0].startswith("kernel.return"):
            arguments = ", ".join(f"{name}: {with_dims(type_)}" for name, type_ in self.arguments.items())
            results = ", ".join(map(with_dims, self.arguments.values()))
            text += f"kernel.func @example({arguments}) -> ({results}) {{\n{self.body[0]}\n}}"
        elif self.body:
            arguments = ", ".join(f"{name}: {type_}" for name, type_ in self.arguments.items())
            text += f"\nfunc.func @example({arguments}) {{\n" + "\n".join(self.body) + "\nreturn\n}"
        return text + "\n"


def wrap(example, dialect):
    if example.startswith("#"):
        return f"module attributes {{test.example = {example}}} {{}}\n"
    if example.startswith("!"):
        return f"func.func private @example({example})\n"
    if dialect == "plan":  # steps stand in blocks and entries: parsed as they are, unverified
        return example + "\n"
    wrapper = Wrapper()
    for statement in statements(example):
        wrapper.add(statement)
    return wrapper.module()


def parses(kimi_opt, modules, dialect):
    """None, or what kimi-opt says of the modules, all read in one run."""
    flags = ["--mlir-very-unsafe-disable-verifier-on-parsing", "--verify-each=0"] if dialect == "plan" else []
    result = subprocess.run([kimi_opt, "--split-input-file", *flags, "-o", "/dev/null"], text=True,
                            input="\n// -----\n".join(modules), capture_output=True)
    return None if result.returncode == 0 else result.stderr


def examples_of(description):
    found = [match.strip("\n") for match in BLOCK.findall(description)]
    found += [re.sub(r"\s*\n\s*", " ", match) for match in INLINE.findall(description)]
    return found


def collect(path):
    """Every (definition, module) of one .td file, and the definitions that should have an example but do not."""
    modules, lacking = [], []
    for match in DEFINITION.finditer(path.read_text()):
        name = match.group(0).split()[1]
        description = DESCRIPTION.search(match.group("rest"))
        found = examples_of(description.group(1)) if description else []
        modules += [(name, wrap(example, path.parent.name)) for example in found]
        if not found and (path.name == "Passes.td" or re.match(r"(Kimi|Kernel|Plan)_\w+Op$", name)):
            lacking.append(name)
    return modules, lacking


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kimi_opt")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    failures = count = 0
    for path in options.files:
        modules, lacking = collect(path)
        count += len(modules)
        failures += len(lacking)
        for name in lacking:
            print(f"FAIL {path}: {name} has no example in its description")
        if not parses(options.kimi_opt, [text for _, text in modules], path.parent.name):
            continue
        for name, text in modules:
            if message := parses(options.kimi_opt, [text], path.parent.name):
                failures += 1
                print(f"FAIL {path}: the example of {name} does not parse:\n{text}\n{message}")
    print(f"{count} examples, {failures} failures")
    return 1 if failures or not count else 0


sys.exit(main())
