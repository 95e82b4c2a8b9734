"""dequantise.py: the formats by hand on small numbers, and that the bf16 checkpoint has the shapes of the model.

Usage: quantised.py WORK_FOLDER
"""
import pathlib
import sys

try:
    import numpy as np
except ImportError as error:
    print(f"skipped: {error} (tests/requirements.txt)")
    sys.exit(77)

model = pathlib.Path(__file__).resolve().parents[2] / "examples" / "model"
sys.path.insert(0, str(model))
import dequantise  # noqa: E402

work = pathlib.Path(sys.argv[1])
failures = 0


def check(what, condition, detail=""):
    global failures
    failures += not condition
    print(f"{'ok    ' if condition else 'FAILED'} {what}{'' if condition else ': ' + str(detail)}")


table = dequantise.e4m3_table()
check("e4m3: 1, largest, smallest, sign, NaN", table[0x38] == 1 and table[0x7E] == 448 and table[1] == 2.0**-9 and
      table[0xB8] == -1 and np.isnan(table[0x7F]) and np.isnan(table[0xFF]), table[[0x38, 0x7E, 1]])
codes = np.full((160, 256), 0x38, np.uint8)
scales = np.array([[1, 2], [3, 4]], np.float32).view(np.uint32)
blocks = dequantise.multiply_blocks(codes, scales)
check("e4m3: the last block has 32 rows", [blocks[0, 0], blocks[127, 255], blocks[128, 0], blocks[159, 128]] == [1, 2, 3, 4])
# 0x76543210: the lowest nibble is the first value, 8 stands for 0.
packed = np.array([[0x76543210, 0x7FFFFFFF, 0, 0]], np.uint32).view(np.int32)
values = dequantise.multiply_groups(packed, dequantise.to_bf16(np.array([[0.5]], np.float32)), (1, 32))
check("int4: lowest nibble first, offset 8", values[0, :8].tolist() == [x * 0.5 for x in range(-8, 0)] and values[0, 8] == 3.5 and
      values[0, 15] == -0.5, values)
check("bf16: ties to even", dequantise.to_bf16(np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8], np.float32)).tolist() == [0x3F80, 0x3F82])
for name in ("instruct-fp8", "thinking-int4"):
    dequantise.dequantise(model / name, work / name)
    tensors = dequantise.read_tensors(work / name)
    parameters = sum(array.size for key, (_, array) in tensors.items() if not key.endswith("bias"))
    types = {dtype for dtype, _ in tensors.values()}
    check(f"{name}: 8.34 million parameters in bf16, the router's bias in f32", round(parameters / 1e4) == 834 and types == {"BF16", "F32"},
          (parameters, types))
    bias = np.concatenate([array.view(np.float32).ravel() for key, (_, array) in tensors.items() if key.endswith("correction_bias")])
    check(f"{name}: the router's bias was adapted", bias.std() > 0.01, bias.std())
sys.exit(failures != 0)
