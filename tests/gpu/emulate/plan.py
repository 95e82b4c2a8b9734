"""Walks the plan of an artifact for a CUDA target block by block, with the images that the stand-in for NVRTC made.

What a step is given and what its launches mean is said in runtime/schema/artifact.fbs. Needs numpy and flatc.
"""
import ctypes
import json
import math
import mmap
import pathlib
import subprocess
import tempfile

import numpy as np

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "runtime" / "schema" / "artifact.fbs"
DIMS = ["one", "tokens", "sequences", "logit_rows", "table_blocks", "cache_blocks", "bias_entries", "penalty_entries",
        "context_tokens"]
INPUTS = ["token_ids", "positions", "token_sequences", "sequence_offsets", "block_tables", "cache_slots", "logit_rows",
          "temperature", "top_p", "min_p", "top_k", "seeds", "draw_index", "mask_rows", "token_mask", "bias_offsets",
          "bias_tokens", "bias_values", "penalty_offsets", "penalty_tokens", "penalty_counts", "repetition_penalty",
          "presence_penalty", "frequency_penalty", "logprob_counts"]
OUTPUTS = ["sampled_tokens", "logits", "sampled_logprobs", "top_tokens", "top_logprobs", "finite"]
ELEMENT_BYTES = {"i8": 1, "u8": 1, "i32": 4, "u32": 4, "i64": 8, "bf16": 2, "f16": 2, "f32": 4, "f8e4m3": 1}
BLOCKS_TOO_MANY = 2  # a launch whose tasks depend on the step may have more blocks: those do nothing


class KernelError(Exception):
    """What a GPU would not forgive."""


def poisoned(num_bytes):
    """Memory of NaN in every float type, on a multiple of 64 bytes. What touches the page behind it faults."""
    size = -(-max(num_bytes, 1) // 64) * 64
    pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = np.frombuffer(mmap.mmap(-1, pages + mmap.PAGESIZE), np.uint8)
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(memory.ctypes.data + pages), ctypes.c_size_t(mmap.PAGESIZE), 0):
        raise OSError("mprotect fails")
    memory[pages - size:pages] = 0xFF
    return memory[pages - size:pages - size + num_bytes]


def placed(array):
    """A copy of an array in such memory."""
    copy = poisoned(array.nbytes)
    copy[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return copy


def read_plan(artifact):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["flatc", "--json", "--raw-binary", "--strict-json", "--defaults-json", "-o", folder,
                        str(SCHEMA), "--", str(artifact / "plan.fb")], check=True, capture_output=True)
        return json.loads((pathlib.Path(folder) / "plan.json").read_text())


class Plan:
    def __init__(self, artifact, cache_blocks):
        self.artifact = pathlib.Path(artifact)
        self.plan = read_plan(self.artifact)
        self.rank = self.plan["ranks"][0]
        self.vocabulary = self.plan["model"]["vocabulary"]
        self.entries = {entry["name"]: entry for entry in self.rank["entries"]}
        self.cache_blocks = cache_blocks
        self.files = {}
        self.kernels = [self._kernel(kernel) for kernel in self.rank["kernels"]]
        self.forget()

    def forget(self):
        """Empty caches."""
        self.layer_bytes = [self.cache_blocks * cache["block_tokens"] * cache["values"] * ELEMENT_BYTES[cache["type"]]
                            for cache in self.rank["caches"]]
        self.caches = [poisoned(size * cache["layers"]) for size, cache in zip(self.layer_bytes, self.rank["caches"])]

    def _kernel(self, kernel):
        file = self.plan["files"][self.rank["code"][kernel["code"]]]["path"]
        function = getattr(ctypes.CDLL(str(self.artifact / file)), kernel["name"] + "_block")
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint]
        function.restype = ctypes.c_char_p
        return function

    def _weight(self, number, layer):
        weight = self.rank["weights"][number]
        piece = weight["slices"][layer - weight["first_layer"]]
        if piece["file"] not in self.files:
            path = self.plan["files"][piece["file"]]["path"]
            self.files[piece["file"]] = np.memmap(self.artifact / path, np.uint8, "r")
        return self.files[piece["file"]].ctypes.data + piece["offset"]

    def _address(self, argument, layer):
        kind, value = argument["kind"], argument["value"]
        if kind == "arena":
            return self.arena.ctypes.data + value
        if kind == "weight":
            return self._weight(value, layer)
        if kind == "cache":
            return self.caches[value].ctypes.data + layer * self.layer_bytes[value]
        return (self.inputs if kind == "input" else self.outputs)[value].ctypes.data

    def _launch(self, launch, layer, dims):
        kernel, name = self.kernels[launch["kernel"]], self.rank["kernels"][launch["kernel"]]
        pointers = [ctypes.c_void_p(dims.ctypes.data)]
        pointers += [ctypes.c_void_p(self._address(argument, layer)) for argument in launch["arguments"]]
        parameters = (ctypes.c_void_p * len(pointers))(*[ctypes.addressof(pointer) for pointer in pointers])
        grid = launch.get("grid", [])
        tasks = math.prod(-(-int(dims[DIMS.index(extent["symbol"])]) * extent["multiplier"] // extent["divisor"])
                          for extent in grid)
        is_fixed = all(extent["symbol"] == "one" for extent in grid)
        for block in range(tasks if is_fixed else tasks + BLOCKS_TOO_MANY):
            error = kernel(parameters, block, name["threads"], name["shared_bytes"])
            if error:
                raise KernelError(error.decode())

    def _steps(self, steps, layer=0):
        for step in steps:
            if step["kind_type"] == "Call":
                yield from self._steps(self.rank["blocks"][step["kind"]["block"]]["steps"], step["kind"]["layer"])
            else:
                yield step["kind"], layer

    def step(self, entry, inputs):
        """Runs one entry on `inputs` {name: array}; returns {name: array} of the outputs. Nothing that was there before
        is there in arena and outputs."""
        entry = self.entries[entry]
        rows, tokens = len(inputs["logit_rows"]), len(inputs["token_ids"])
        sizes = dict(one=1, tokens=tokens, sequences=len(inputs["sequence_offsets"]) - 1, logit_rows=rows,
                     table_blocks=inputs["block_tables"].shape[1], cache_blocks=self.cache_blocks,
                     bias_entries=len(inputs["bias_tokens"]), penalty_entries=len(inputs["penalty_tokens"]),
                     context_tokens=int(np.sum(inputs["positions"])) + tokens)
        dims = np.array([sizes[name] for name in DIMS] + [0] * 7, np.int64)
        self.arena = poisoned(entry["arena_bytes"])
        self.inputs = [placed(inputs[name]) for name in INPUTS]
        top = {"logits": self.vocabulary, "top_tokens": 20, "top_logprobs": 20}
        self.outputs = [poisoned(rows * top.get(name, 1) * 4) for name in OUTPUTS]
        for launch, layer in self._steps(entry["steps"]):
            self._launch(launch, layer, dims)
        integers = ("sampled_tokens", "top_tokens", "finite")
        return {name: out.view(np.int32 if name in integers else np.float32)[:rows * top.get(name, 1)].reshape(rows, -1)
                for name, out in zip(OUTPUTS, self.outputs)}


def step_inputs(pieces, table_blocks, vocabulary):
    """Inputs of a step that brings `pieces`: (ids, first position, blocks of the sequence, positions whose logits are
    wanted). Sampling is greedy, with every feature of it in use somewhere."""
    ids, positions, owners, slots, wanted, offsets = [], [], [], [], [], [0]
    tables = np.zeros((len(pieces), table_blocks), np.int32)
    for owner, (tokens, first, blocks, rows) in enumerate(pieces):
        tables[owner, :len(blocks)] = blocks
        wanted += [len(ids) + row - first for row in rows]
        for position, token in enumerate(tokens, first):
            ids.append(token)
            positions.append(position)
            owners.append(owner)
            slots.append(blocks[position // 64] * 64 + position % 64)
        offsets.append(len(ids))
    rows = len(wanted)
    draws = np.arange(rows)
    return {
        "token_ids": np.int32(ids), "positions": np.int32(positions), "token_sequences": np.int32(owners),
        "sequence_offsets": np.int32(offsets), "block_tables": tables, "cache_slots": np.int32(slots),
        "logit_rows": np.int32(wanted),
        "temperature": np.float32(draws % 2 * 0.7), "top_p": np.full(rows, 0.9, np.float32),
        "min_p": np.full(rows, 0.01, np.float32), "top_k": np.int32(draws % 3 * 5),
        "seeds": np.uint32([[7, 1]] * rows), "draw_index": np.uint32(draws), "mask_rows": np.int32(draws % 4 == 1),
        "token_mask": np.full((rows, -(-vocabulary // 32)), 0x7FFF7FF7, np.uint32),
        "bias_offsets": np.int32(np.arange(rows + 1) * 2), "bias_tokens": np.int32([3, 5] * rows),
        "bias_values": np.float32([1.5, -2.0] * rows), "penalty_offsets": np.int32(np.arange(rows + 1)),
        "penalty_tokens": np.int32([9] * rows), "penalty_counts": np.int32(draws % 3),
        "repetition_penalty": np.full(rows, 1.2, np.float32), "presence_penalty": np.full(rows, 0.25, np.float32),
        "frequency_penalty": np.full(rows, 0.125, np.float32), "logprob_counts": np.int32(draws % 21),
    }
