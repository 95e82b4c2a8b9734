"""Compiles kernels from .mlir with kimi-opt and calls them through the kernel ABI of runtime/schema/artifact.fbs."""
import ctypes
import pathlib
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
    def __init__(self, kimi_opt, mlir, before=()):
        """`before`: passes that make kernels of what the file holds."""
        self.folder = tempfile.TemporaryDirectory()
        out = subprocess.run([kimi_opt, str(mlir), *before, f"--kimi-generate-code=code-directory={self.folder.name}"],
                             capture_output=True, text=True)
        if out.returncode != 0:
            raise SystemExit(f"kimi-opt failed:\n{out.stderr}")
        self.ir = out.stdout
        (path,) = pathlib.Path(self.folder.name).glob("*.so")
        self.path = path
        self.library = ctypes.CDLL(str(path))

    def run(self, name, buffers, tasks, **dims):
        """Runs every task of kernel `name`, last to first: tasks are independent."""
        sizes = (ctypes.c_int64 * len(DIM_SYMBOLS))(1, *[dims.get(symbol, 0) for symbol in DIM_SYMBOLS[1:]])
        pointers = (ctypes.c_void_p * len(buffers))(*[buffer.ctypes.data for buffer in buffers])
        function = getattr(self.library, name)
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
        function.restype = None
        for task in reversed(range(tasks)):
            function(pointers, sizes, task)
