"""Describes every kernel that kimic makes of a model: how it is launched, and what it computes.

    python describe.py OUT [--kimic PROGRAM] [--target cuda:sm_90a]       Kimi-K2 as published: OUT/PROFILE/kernels.json, *.cubin

How it is launched stands in the dump behind codegen. What it computes is taken from the dump before fuse: for every
kernel.call, the operations of the model between the values that it reads and those that it writes. So the reference is the
model's own graph, and nothing of what fuse, select and codegen made of it.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import dumps

PUBLISHED = pathlib.Path(__file__).resolve().parents[4] / "shared" / "data" / "kimi-k2" / "config"
# name → config, numeric profile, form of attention in mixed steps
PROFILES = {"w8a16": ("kimi-k2-instruct-0905", "w8a16", "absorbed"),
            "w8a16-expanded": ("kimi-k2-instruct-0905", "w8a16", "expanded"),
            "w8a8-1x128": ("kimi-k2-instruct-0905", "w8a8-1x128", "absorbed"),
            "w4a16": ("kimi-k2-thinking", "w4a16", "absorbed")}
LAYERS = 2  # a dense and a routed one
NOTHING = ""  # the result of an operation that writes memory
WORKSPACE = "xi8"  # of the type of a kernel's scratch memory, its last result; no value of the model is i8
EXTENT = r"extent<(\w+) \* (\d+) by (\d+)>"


class DescriptionError(Exception):
    pass


def extents(text):
    return [[symbol, int(times), int(by)] for symbol, times, by in re.findall(EXTENT, text)]


def read_kernels(text):
    """{name: launch} of the kernel.func declarations behind codegen."""
    kernels = {}
    for line in re.findall(r"^  kernel\.func .*$", text, re.MULTILINE):
        name = re.search(r"@(\w+)\(", line)[1]
        signature, attributes = line.split(" attributes {", 1)
        arguments, _, results = signature.partition(") -> ")
        cost = re.search(r"cost = #kernel\.cost<bytes = \[(.*?)\]", attributes)[1]
        kernels[name] = {
            "name": name, "implementation": re.search(r'impl<"(\w+)"', attributes)[1],
            "symbol": re.search(r'kernel\.symbol = "(\w+)"', attributes)[1],
            "code": re.search(r'kernel\.code = "(\S+?)"', attributes)[1],
            "threads": int(re.search(r"threads = (\d+)", attributes)[1]),
            "shared_bytes": int(re.search(r"shared_bytes = (\d+)", attributes)[1]),
            "grid": extents(re.search(r"kernel\.grid = \[(.*?)\]", attributes)[1]),
            "ops": re.findall(r'"(\w+)"', re.search(r"kernel\.ops = \[(.*?)\]", attributes)[1]),
            "bytes": [[symbol, int(times), int(cap), int(each)] for symbol, times, cap, each in
                      re.findall(r"cost_term<(\w+) \* (\d+) cap (\d+) each (\d+)>", cost)],
            "inputs": read_values(arguments), "outputs": read_values(results)}
    return kernels


def read_values(text):
    """Types and run-time sizes of one side of a kernel's signature."""
    text = re.sub(r"kernel\.weight = tensor<[^<>]*>", "", text)
    values = []
    for found in re.finditer(r"(?:tensor|memref)<([^<>]*)>(?: \{(?:kernel\.dims = \[(.*?)\])?)?", text):
        values.append({"type": found[1], "dims": extents(found[2] or "")})
    return values


def counted(ops):
    """Names of operations, sorted; a dequantise is repeated wherever it is read, so how often says nothing."""
    names = [op if isinstance(op, str) else op.name for op in ops]
    return sorted(name for name in names if name not in ("dequantise", *dumps.SHAPE_OPS)), "dequantise" in names


def find_graph(function, kernel, operands, types):
    """(operations, results' keys) of what a call computes, in terms of the model's function."""
    stops, found, used = set(operands), [], []
    for wanted in types or [NOTHING]:
        if wanted.endswith(WORKSPACE):
            continue
        for op in function.ops:
            results = [key for key in op.results if key[1].types[key[2]] == wanted and key not in used] or \
                [NOTHING] * (wanted == NOTHING and not op.types)
            part = dumps.subgraph(op, stops) if results else None
            if part and part[1] == stops and counted(part[0]) == counted(kernel["ops"]):
                found.append(part[0])
                used.append(results[0])
                break
        else:
            raise DescriptionError(f"kernel {kernel['name']}: no operations of the model lead from what it reads to its "
                                   f"result {wanted}: {', '.join(kernel['ops'])}")
    return list(dict.fromkeys(op for part in found for op in part)), used


def source_of(key, weights):
    """Where an argument comes from, so that valid values can be made: shape operations looked through."""
    while key[0] == "op" and key[1].name in dumps.SHAPE_OPS:
        key = key[1].operands[0]
    if key[0] == "op":
        return {"kind": "value", "op": key[1].name, "result": key[2]}
    if key[0] == "weight":
        return {"kind": "weight", "name": key[1], "quantised": weights[key[1]]}
    return {"kind": key[0], "name": key[1]} if key[0] in ("input", "cache") else {"kind": "value", "op": "", "result": 0}


def as_json(ops, operands, results):
    """Values become numbers: the kernel's arguments, then what the operations make."""
    numbers = {}
    for key in operands:
        numbers.setdefault(key, len(numbers))
    graph = []
    for op in ops:
        reads = [numbers[key] for key in op.operands]
        for key in op.results:
            numbers[key] = len(numbers)
        graph.append({"op": op.name, "reads": reads, "writes": [numbers[key] for key in op.results],
                      "attributes": op.attributes, "types": list(op.types)})
    return {"arguments": [numbers[key] for key in operands], "graph": graph,
            "values": [numbers[key] for key in results if key != NOTHING]}


def sizes_of(text):
    """What inputs are made from: the vocabulary, and among how many experts each token chooses how many."""
    route = re.search(r"kimi\.route_experts .* : tensor<\?x(\d+)xf32>.* -> tensor<\?x(\d+)xi32>", text)
    return {"vocabulary": int(re.search(r"vocabulary = (\d+)", text)[1]),
            "experts": int(route[1]) if route else 0, "choices": int(route[2]) if route else 0}


def functions_of(text):
    return re.findall(r"^  func\.func (?:private )?@(\w+)\(", text, re.MULTILINE)


def describe(folder):
    """The kernels of a folder of phase dumps, in the order in which a step first launches them, and the model's sizes."""
    before, behind = ((folder / name).read_text() for name in ("02-specialise.mlir", "05-codegen.mlir"))
    weights = dict(re.findall(r"^  kimi\.weight @([\w.]+) : (?:.*?quantised <(\w+ \d+ x \d+)>)?", before, re.MULTILINE))
    kernels, described = read_kernels(behind), {}
    for name in functions_of(behind):
        model, fused = dumps.Function(before, name), dumps.Function(behind, name)
        values = {}  # of the fused function's kernels → the model's
        for kernel, operands, names, types in fused.calls:
            keys = [values.get(key, key) for key in operands]
            ops, results = find_graph(model, kernels[kernel], keys, types)
            values |= {("kernel", result): key for result, key in zip(names, results)}
            content = as_json(ops, keys, results)
            entry = kernels[kernel] | content | {"sources": [source_of(key, weights) for key in keys]}
            if described.setdefault(kernel, entry)["graph"] != content["graph"]:
                raise DescriptionError(f"kernel {kernel} is called for two different graphs, the second in @{name}")
    unused = kernels.keys() - described.keys()
    if unused:
        raise DescriptionError(f"kernels without a call: {', '.join(sorted(unused))}")
    return sizes_of(before) | {"kernels": list(described.values())}


def compile_model(kimic, config, out, options, known=None):
    """Dumps, then kernels.json and the code beside it, but for kernels in `known` (a set to which it adds)."""
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        done = subprocess.run([str(kimic), str(config), "--weights=shapes", f"--layers={LAYERS}", "--compile-to=plan", "--quiet",
                               "--impl", "*=generated", f"--dump-phases={work}", "-o", str(work / "plan.mlir"), *options],
                              capture_output=True, text=True)
        if done.returncode:
            raise DescriptionError(f"kimic: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
        model = describe(work)
        keys = [json.dumps([kernel["code"], kernel["graph"]]) for kernel in model["kernels"]]
        model["kernels"] = [kernel for kernel, key in zip(model["kernels"], keys) if key not in (known or ())]
        if known is not None:
            known.update(keys)
        for kernel in model["kernels"]:
            shutil.copy2(work / kernel["code"], out / kernel["code"])
    (out / "kernels.json").write_text(json.dumps(model, indent=1) + "\n")
    return model["kernels"]


def describe_published(kimic, target, out):
    """Kimi-K2's published configs, where they are at hand."""
    if not PUBLISHED.is_dir():
        print(f"skipped kernels: Kimi-K2's configs are not in {PUBLISHED}")
        return
    shutil.rmtree(out, ignore_errors=True)
    known = set()
    for profile, (config, numerics, attention) in PROFILES.items():
        kernels = compile_model(kimic, PUBLISHED / f"{config}.config.json", out / profile,
                                [f"--numerics={numerics}", f"--prefill-attention={attention}", f"--target={target}"],
                                known)
        print(f"kernels/{profile}: {len(kernels)} kernels that are not in one before", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--kimic", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[3] / "build/bin/kimic")
    parser.add_argument("--target", default="cuda:sm_90a")
    args = parser.parse_args()
    describe_published(args.kimic, args.target, args.out)


if __name__ == "__main__":
    main()
