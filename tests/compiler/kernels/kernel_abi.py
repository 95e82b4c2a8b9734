"""Compiles kernels from .mlir with kimi-opt and calls them through the kernel ABI of runtime/schema/artifact.fbs.

For a CUDA target, $CUDA_HOME must hold the stand-in for NVRTC of tests/gpu/emulate.
"""
import ctypes
import math
import pathlib
import re
import subprocess
import tempfile

import numpy as np

# enum DimSymbol of runtime/schema/artifact.fbs
DIM_SYMBOLS = ["one", "tokens", "sequences", "logit_rows", "table_blocks", "cache_blocks", "bias_entries",
               "penalty_entries", "context_tokens"]


def bf16(values):
    """float32 values rounded to bf16 (to nearest even), as their 16 bits."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def widen(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


class Kernels:
    def __init__(self, kimi_opt, mlir, before=(), target="cpu:x86-64-v3"):
        """`before`: passes that make kernels of what the file holds."""
        self.is_cuda = target.startswith("cuda")
        self.folder = tempfile.TemporaryDirectory()
        text = f'module attributes {{kimi.target = "{target}"}} {{\n{pathlib.Path(mlir).read_text()}\n}}'
        out = subprocess.run([kimi_opt, "-", *before, f"--kimi-generate-code=code-directory={self.folder.name}"],
                             input=text, capture_output=True, text=True)
        if out.returncode != 0:
            raise SystemExit(f"kimi-opt failed:\n{out.stderr}")
        self.ir = out.stdout
        self.libraries = {path.name: ctypes.CDLL(str(path)) for path in pathlib.Path(self.folder.name).iterdir()}

    def attribute(self, name, pattern):
        """What the group of `pattern` finds on the line of kernel `name`."""
        (line,) = re.findall(rf"kernel.func (?:private )?@{name}\(.*", self.ir)
        return re.search(pattern, line).group(1)

    def tasks(self, name, sizes):
        extents = re.findall(r"<(\w+) \* (\d+) by (\d+)>", self.attribute(name, r"kernel.grid = \[(.*?)\]"))
        return math.prod(-(-sizes[DIM_SYMBOLS.index(symbol)] * int(times) // int(by)) for symbol, times, by in extents)

    def run(self, name, buffers, **dims):
        """Runs every task of kernel `name`, last to first: tasks are independent."""
        sizes = (ctypes.c_int64 * 16)(1, *[dims.get(symbol, 0) for symbol in DIM_SYMBOLS[1:]])
        pointers = [ctypes.c_void_p(buffer.ctypes.data) for buffer in buffers]
        if self.is_cuda:
            return self._run_blocks(name, pointers, sizes)
        (library,) = self.libraries.values()
        function = getattr(library, name)
        function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
        for task in reversed(range(self.tasks(name, sizes))):
            function((ctypes.c_void_p * len(pointers))(*pointers), sizes, task)

    def _run_blocks(self, name, pointers, sizes):
        """As EMULATE_IMAGE in tests/gpu/emulate/device.h says. Block 0 comes first: it starts a launch."""
        function = getattr(self.libraries[self.attribute(name, r'kernel.code = "(.*?)"')], name + "_block")
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint]
        function.restype = ctypes.c_char_p
        pointers = [ctypes.c_void_p(ctypes.addressof(sizes)), *pointers]
        parameters = (ctypes.c_void_p * len(pointers))(*[ctypes.addressof(pointer) for pointer in pointers])
        threads, shared = (int(self.attribute(name, rf"kernel.launch = {{.*?{what} = (\d+)"))
                           for what in ("threads", "shared_bytes"))
        for task in range(self.tasks(name, sizes)):
            if error := function(parameters, task, threads, shared):
                raise SystemExit(error.decode())
