"""What the emulated GPU accepts and what it finds, kernel by kernel. Usage: rules.py CUDA_HOME PRELUDE

Each kernel of KERNELS is wrong in one way, and the message must say in which; the first ones are right.
"""
import ctypes
import os
import pathlib
import sys
import tempfile

import numpy as np

NVRTC = ctypes.CDLL(str(pathlib.Path(sys.argv[1]) / "lib64" / "libnvrtc.so.13"))
PRELUDE = pathlib.Path(sys.argv[2]).read_text()
HEAD = 'extern "C" __global__ void __launch_bounds__(256, 1)\nk(const i64 *__restrict__ dims, u8 *__restrict__ b0) {\n'
SHARED = "  extern __shared__ __align__(128) u8 shared[];\n  int *const s = reinterpret_cast<int *>(shared);\n"
BEGIN = "  const index_t t = threadIdx.x;\n  int *const out = reinterpret_cast<int *>(b0);\n"
failures = 0


def check(what, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {what} {'' if good else detail}")


def compile_text(text, arch="sm_90a", options=()):
    """(code, log, image)."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    NVRTC.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"k.cu", 0, None, None)
    words = [f"--gpu-architecture={arch}", "--std=c++17", *options]
    code = NVRTC.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*map(str.encode, words)))
    NVRTC.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    NVRTC.nvrtcGetProgramLog(program, log)
    NVRTC.nvrtcGetCUBINSize(program, ctypes.byref(size))
    image = ctypes.create_string_buffer(size.value)
    NVRTC.nvrtcGetCUBIN(program, image)
    NVRTC.nvrtcDestroyProgram(ctypes.byref(program))
    return code, log.value.decode(), image.raw


def load(body, arch="sm_90a"):
    code, log, image = compile_text(PRELUDE + "\n" + HEAD + SHARED + BEGIN + body + "}\n", arch)
    assert code == 0, log
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(image)
        file.flush()
        return ctypes.CDLL(file.name)


def parameters(*addresses):
    """What holds the addresses of a kernel's arguments, and what must live as long."""
    pointers = [ctypes.c_void_p(address) for address in addresses]
    return (ctypes.c_void_p * len(pointers))(*[ctypes.addressof(pointer) for pointer in pointers]), pointers


def run(body, blocks=1, threads=256, shared=1024, order="ascending", arch="sm_90a"):
    """The first error, or None; what the kernel wrote."""
    kernel = load(body, arch).k_block
    kernel.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint]
    kernel.restype = ctypes.c_char_p
    os.environ["KIMI_EMULATE_ORDER"] = order
    dims, out = np.ones(16, np.int64), np.zeros(4096, np.int32)
    given, _keep = parameters(dims.ctypes.data, out.ctypes.data)
    for block in range(blocks):
        if error := kernel(given, block, threads, shared):
            return error.decode(), out
    return None, out


def finds(what, body, message, **how):
    error, _ = run(body, **how)
    check(what, error is not None and message in error, error or "found nothing")


def accepts(what, body, wanted, **how):
    for order in ("ascending", "descending", "random:3"):
        error, out = run(body, order=order, **how)
        out = out[:len(wanted)]
        check(f"{what}, {order}", error is None and np.array_equal(out, wanted), error or out)


def test_threads():
    accepts("a barrier orders", "  s[t] = int(t);\n  __syncthreads();\n  out[t] = s[255 - t];\n", 255 - np.arange(256))
    accepts("a shuffle gives another's value", "  out[t] = __shfl_xor_sync(0xffffffff, int(t), 16, 32);\n",
            np.arange(256) ^ 16)
    accepts("the same value from all is no race", "  s[0] = 7;\n  __syncthreads();\n  out[t] = s[0];\n", [7] * 256)
    accepts("blocks", "  out[blockIdx.x * 256 + t] = int(blockIdx.x);\n", np.repeat([0, 1, 2], 256), blocks=3)
    accepts("shared memory is poisoned", "  out[t] = s[t];\n", [-1] * 256)
    finds("a barrier is missing", "  s[t] = int(t);\n  out[t] = s[255 - t];\n",
          "thread 128 writes what thread 127 touched")
    finds("a barrier is missing before a write", "  out[t] = s[0];\n  if (t == 9) s[0] = 1;\n",
          "thread 9 writes what others read")
    finds("two write differently", "  s[0] = int(t);\n",
          "thread 1 writes something else to what thread 0 touched")
    finds("two blocks write differently", "  if (t == 0) out[0] = int(blockIdx.x);\n",
          "block 1: thread 0 writes something else to what an earlier block", blocks=2)
    finds("a block reads another's",
          "  if (t == 0) { out[1 + blockIdx.x] = out[0]; out[blockIdx.x] = 1; }\n",
          "block 1: thread 0 reads what an earlier block", blocks=2)
    finds("a barrier that some reach", "  if (t < 9) __syncthreads();\n", "9 of 256 threads reach the barrier in line ")
    finds("two barriers in the place of one",
          "  if (t < 9) {\n    __syncthreads();\n  } else {\n    __syncthreads();\n  }\n",
          "9 of 256 threads reach the barrier")
    finds("a shuffle that some reach", "  if (t != 40) out[t] = __shfl_xor_sync(0xffffffff, int(t), 1, 32);\n",
          "31 of the 32 threads of warp 1 reach the shuffle in line ")
    finds("a shuffle of a part", "  out[t] = __shfl_xor_sync(0xff, int(t), 1, 32);\n", "mask 0xff")
    finds("a vector that does not lie on its bounds",
          "  const vec<int, 4> w = *reinterpret_cast<const vec<int, 4> *>(&out[t]);\n  s[t] = w.at[0];\n",
          "thread 1 touches", order="ascending")
    finds("too many threads", "  out[t] = 1;\n", "launched with 512 threads, but its launch bounds say 256",
          threads=512)
    finds("an unknown order", "  out[t] = 1;\n", "KIMI_EMULATE_ORDER is sideways", order="sideways")


def test_fake_driver():
    """What tests/runtime/fake_cuda calls: addresses of device memory are marked, parameters have sizes."""
    library, device_bit = load("  out[t] = int(blockIdx.x) + int(dims[1]);\n"), 1 << 62
    sizes = list((ctypes.c_uint32 * 3).in_dll(library, "k_parameters"))
    check("sizes of parameters", sizes == [8, 8, 0], sizes)
    dims, out = np.arange(16), np.zeros(256, np.int32)
    given, _keep = parameters(dims.ctypes.data | device_bit, out.ctypes.data | device_bit)
    os.environ["KIMI_EMULATE_ORDER"] = "ascending"
    library.k(given, ctypes.c_int64(4))
    check("addresses of device memory", np.all(out == 5), out)


def bits(values):
    return np.asarray(values, np.float32).view(np.int32)


def test_conversions():
    """All e4m3 codes, and values between and beyond them, on both kinds of architecture."""
    body = ("  out[t] = __float_as_int(to_f32(f8e4m3{u8(t)}));\n"
            "  out[256 + t] = to_f8e4m3(to_f32(f8e4m3{u8(t)})).bits;\n"
            "  out[512 + t] = to_f8e4m3(to_f32(f8e4m3{u8(t)}) * 1.0625f).bits;\n"
            "  out[768 + t] = to_bf16(__int_as_float(0x3f800000 + int(t) * 0x2000)).bits;\n")
    codes = np.arange(256)
    exponent, mantissa, sign = codes >> 3 & 15, codes & 7, np.where(codes & 128, -1.0, 1.0)
    value = sign * np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    real = (codes & 127) != 127
    table = np.abs(value[:127])

    def nearest(x):
        distance = np.abs(table - abs(x))
        best = np.flatnonzero(distance == distance.min())
        return int(best[best % 2 == 0][0] if len(best) > 1 else best[0])

    wanted = [nearest(x * 1.0625) | int(c & 128) for x, c in zip(value[real], codes[real])]
    for arch in ("sm_90a", "sm_80"):
        error, out = run(body, arch=arch)
        check(f"e4m3 to f32, {arch}", error is None and np.array_equal(out[:256][real], bits(value)[real]), error or "")
        check(f"f32 to e4m3, {arch}", np.array_equal(out[256:512][real], codes[real]))
        check(f"f32 to the nearest e4m3, {arch}", np.array_equal(out[512:768][real], wanted))
        steps = np.arange(256, dtype=np.uint64) * 0x2000 + 0x3F800000
        check(f"f32 to bf16, {arch}", np.array_equal(out[768:1024], (steps + 0x7FFF + (steps >> 16 & 1)) >> 16))


def test_compilation():
    code, log, image = compile_text(PRELUDE + HEAD + "  nobody(3);\n}\n")
    line = PRELUDE.count("\n") + 3
    check("an unknown name", code == 6 and f"k.cu({line}): error: 'nobody' was not declared" in log and not image, log)
    code, log, _ = compile_text(PRELUDE + HEAD + '  asm("bar.sync 0; bar.sync 1;");\n}\n')
    check("PTX beyond what is emulated", code == 6 and f"k.cu({line}): error: asm of one PTX instruction" in log, log)
    code, log, _ = compile_text(PRELUDE + HEAD + '  asm volatile("griddepcontrol.wait;");\n}\n')
    check("a PTX instruction that is not emulated", code == 6 and "ptx_griddepcontrol_wait" in log, log)
    code, log, _ = compile_text(PRELUDE + HEAD + "}\n", "sm_42")
    check("an unknown architecture", code == 5 and "invalid value for --gpu-architecture" in log, log)
    code, log, _ = compile_text(PRELUDE + HEAD + "}\n", options=["--fast"])
    check("an unknown option", code == 5 and "--fast" in log, log)
    code, log, _ = compile_text("int x;\n")
    check("no kernel", code == 6 and "error" in log, log)
    code, log, one = compile_text(PRELUDE + HEAD + "}\n")
    check("a log like that of ptxas", code == 0 and "0 bytes spill stores" in log, log)
    check("the same text, the same image", one == compile_text(PRELUDE + HEAD + "}\n")[2])


test_compilation()
test_conversions()
test_threads()
test_fake_driver()
sys.exit(failures != 0)
