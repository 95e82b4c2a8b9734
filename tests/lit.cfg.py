"""lit over .mlir and .test files: IR in, FileCheck or expected errors out. Run by the target check-lit and by ctest."""
import ctypes
import os

import lit.formats

config.name = "kimic"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["golden", "Inputs", "unseen.mlir"]  # data of other tests
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.kimi_build_dir, "tests", "lit")

tools = [config.kimi_tools_dir, config.llvm_tools_dir, os.environ.get("PATH", "")]
config.environment["PATH"] = os.pathsep.join(tools)
config.substitutions += [("%{source}", config.kimi_source_dir), ("%{python}", config.python)]

# A test may say `REQUIRES: kimic`: programs that this build does not have are features it lacks.
for program in ("kimic", "kimi-inspect", "kimi-run", "kimi-random-checkpoint"):
    if os.access(os.path.join(config.kimi_tools_dir, program), os.X_OK):
        config.available_features.add(program)

# Whether CUDA C++ can be compiled here: where passes/codegen/Nvrtc.cpp looks.
for library in (os.environ.get("CUDA_HOME", "") + "/lib64/libnvrtc.so.13", "libnvrtc.so.13",
                "/usr/local/cuda/lib64/libnvrtc.so.13"):
    try:
        ctypes.CDLL(library)
        config.available_features.add("nvrtc")
        break
    except OSError:
        pass
config.environment["CUDA_HOME"] = os.environ.get("CUDA_HOME", "")
