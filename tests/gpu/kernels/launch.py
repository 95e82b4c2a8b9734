"""Launches kernels by the ABI of runtime/schema/artifact.fbs (table Kernel): on a GPU through CUDA's driver, or on the CPU,
block by block, where the code was made by tests/gpu/emulate."""
import ctypes
import math

import torch

from inputs import SYMBOLS, extent
from values import DTYPES, shape_of

GUARD = 256  # bytes behind every result that must stay as they are
POISON = 0xFF  # NaN in every float type, -1 in integers
BLOCKS_TOO_MANY = 2  # a launch whose tasks depend on the step may have more blocks: those do nothing
LONG, IN_A_ROW = 200.0, 20  # µs; launches
MAX_DYNAMIC_SHARED_SIZE = 8  # of enum CUfunction_attribute


class LaunchError(Exception):
    pass


class Gpu:
    """Modules stay loaded; launches go to torch's current stream, so that torch's events time them."""
    device = "cuda"

    def __init__(self):
        torch.zeros(1, device="cuda")  # makes the context current
        self.cuda = ctypes.CDLL("libcuda.so.1")

    def call(self, name, *arguments):
        code = getattr(self.cuda, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self.cuda.cuGetErrorString(code, ctypes.byref(text))
            raise LaunchError(f"{name}: {(text.value or b'?').decode()} ({code})")

    def load(self, path, kernel):
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        image = path.read_bytes()
        self.call("cuModuleLoadData", ctypes.byref(module), image)
        self.call("cuModuleGetFunction", ctypes.byref(function), module, kernel["symbol"].encode())
        self.call("cuFuncSetAttribute", function, MAX_DYNAMIC_SHARED_SIZE, kernel["shared_bytes"])
        return function

    def launch(self, function, kernel, blocks, parameters):
        self.call("cuLaunchKernel", function, blocks, 1, 1, kernel["threads"], 1, 1, kernel["shared_bytes"],
                  ctypes.c_void_p(torch.cuda.current_stream().cuda_stream), parameters, None)

    def wait(self):
        torch.cuda.synchronize()

    def microseconds(self, run, times=5):
        """The median of some measurements. Short launches come in rows, so that the GPU does not wait for the host."""
        once = self._measure(run, 1)
        repeats = 1 if once > LONG else IN_A_ROW
        return sorted(self._measure(run, repeats) / repeats for _ in range(times))[times // 2]

    def _measure(self, run, repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1000


class Emulated:
    device = "cpu"

    def load(self, path, kernel):
        function = getattr(ctypes.CDLL(str(path)), kernel["symbol"] + "_block")
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint]
        function.restype = ctypes.c_char_p
        return function

    def launch(self, function, kernel, blocks, parameters):
        for block in range(blocks):
            if error := function(parameters, block, kernel["threads"], kernel["shared_bytes"]):
                raise LaunchError(error.decode())

    def wait(self):
        pass

    def microseconds(self, run, times=0):
        return 0.0


def blocks_of(kernel, step):
    tasks = math.prod(extent(step, *size) for size in kernel["grid"])
    return tasks if all(symbol == "one" for symbol, _, _ in kernel["grid"]) else tasks + BLOCKS_TOO_MANY


class Results:
    """Poisoned memory for what a kernel writes, with guards behind."""

    def __init__(self, kernel, step):
        self.memory, self.views = [], []
        for output in kernel["outputs"]:
            sizes, element = shape_of(output["type"])
            runtime = iter(extent(step, *dim) for dim in output["dims"])
            shape = [next(runtime) if size < 0 else size for size in sizes]
            count = math.prod(shape) * DTYPES[element].itemsize
            memory = torch.full((-(-count // GUARD) * GUARD + GUARD,), POISON, dtype=torch.uint8, device=step.device)
            self.memory.append((memory, count))
            self.views.append(memory[:count].view(DTYPES[element]).view(shape))

    def poison(self):
        for memory, _ in self.memory:
            memory.fill_(POISON)

    def check_guards(self):
        for index, (memory, count) in enumerate(self.memory):
            if not bool((memory[count:] == POISON).all()):
                raise LaunchError(f"bytes behind result {index} were written")


def parameters_of(kernel, step, arguments, results):
    """The argument array of a launch, and what must stay alive as long."""
    dims = torch.tensor([step.sizes[symbol] for symbol in SYMBOLS] + [0] * 7, dtype=torch.int64, device=step.device)
    pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (dims, *arguments, *results.views)]
    return (ctypes.c_void_p * len(pointers))(*[ctypes.addressof(pointer) for pointer in pointers]), (dims, pointers)
