#ifndef CODEGEN_PASSES
#define CODEGEN_PASSES

include "mlir/Pass/PassBase.td"

def TileToGrid : Pass<"kimi-tile-to-grid", "::kimi::kernel::FuncOp"> {
  let summary = "Split a kernel into the independent tasks of its grid";
  let description = [{
    Tiles the kernel's last operation by the implementation's `tile` into one `scf.forall` and fuses its producers into
    it; operations that lay out their own grid write it. Structured operations inside become loops. The grid is
    recorded as `kernel.grid`, one `#kernel.extent` per dimension, so that `plan` can size a launch from run-time
    counts alone.

    Before: `%y = linalg.generic .. outs(%init : tensor<?x64xf32>)` with tile = [32, 64]
    After: `%y = scf.forall (%i, %j) = (0, 0) to (%n, 64) step (32, 64) shared_outs(%o = %init) { .. }`
           and `kernel.grid = [#kernel.extent<tokens * 1 by 32>, #kernel.extent<one * 1 by 1>]`
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::bufferization::BufferizationDialect"];
}

def BufferizeKernel : Pass<"kimi-bufferize-kernel", "::mlir::ModuleOp"> {
  let summary = "Turn kernels on tensors into functions on buffers, with the kernel ABI";
  let description = [{
    `kernel.func @k(%x: tensor<..>) -> tensor<..>` becomes `func.func @k(%buffers: !llvm.ptr, %dims: !llvm.ptr,
    %task: i64)`: buffers are the arguments, then the results; sizes come from the dims array (runtime/schema,
    DimSymbol). Upstream's one-shot bufferization runs inside; results are written in place.

    With `for-gpu`: `func.func @k(%dims: memref<16xi64>, %x: memref<?xi8>, %y: memref<?xi8>)`; every buffer is an
    argument, and its first operation views it as what it holds.
  }];
  let options = [Option<"forGpu", "for-gpu", "bool", "false", "arguments are buffers instead of pointers to pointers">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::bufferization::BufferizationDialect",
                           "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect"];
}

def UseStackBuffers : Pass<"kimi-use-stack-buffers", "::mlir::func::FuncOp"> {
  let summary = "Move a task's local buffers to its stack";
  let description = [{
    A kernel has nobody to ask for memory. Every `memref.alloc` becomes one `memref.alloca` at the top of the function,
    as large as the upper bound of its sizes; a size without a bound is an error that names the kernel.

    Before: `%a = memref.alloc(%n) : memref<?x64xf32>` with %n = min(32, ..)
    After: `%s = memref.alloca() : memref<8192xi8>`, `%a = memref.view %s[..][%n] : memref<8192xi8> to memref<?x64xf32>`
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

def RunOneTask : Pass<"kimi-run-one-task", "::mlir::func::FuncOp"> {
  let summary = "Replace the grid loop by the one task that the caller asks for";
  let description = [{
    The `scf.forall` at the top of a kernel becomes straight code: its induction variables are computed from the
    function's task number, row-major over the grid. With `for-gpu` the task is the block's number, and blocks past the
    last task do nothing: a launch may have more blocks than the running step has tasks.
  }];
  let options = [Option<"forGpu", "for-gpu", "bool", "false", "the task is the number of the block">];
  let dependentDialects = ["::mlir::gpu::GPUDialect"];
}

def UseSharedMemory : Pass<"kimi-use-shared-memory", "::mlir::func::FuncOp"> {
  let summary = "Move a block's local buffers to its shared memory";
  let description = [{
    Every `memref.alloc` becomes a view of the block's dynamic shared memory; buffers of regions that do not contain one
    another share their bytes. A buffer of more than half of `shared-bytes` lies in a workspace instead: one more
    argument of the kernel, with a part for each block.

    Leaves `kernel.shared_bytes` and, where there is a workspace, `kernel.workspace_bytes` (per block) on the function.
    A size without a bound, a buffer that leaves its region, or more than `shared-bytes` in all are errors that name
    the kernel.

    Before: `%a = memref.alloc() : memref<8xf32>`
    After: `%s = gpu.dynamic_shared_memory`, `%v = memref.view %s[..]`, `%a = memref.memory_space_cast %v`
  }];
  let options = [Option<"sharedBytes", "shared-bytes", "int64_t", "232448", "shared memory of one block">];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def DistributeToThreads : Pass<"kimi-distribute-to-threads", "::mlir::func::FuncOp"> {
  let summary = "Write linalg operations on buffers as loops that a block's threads share";
  let description = [{
    All threads run a task's code; where it computes, they share the work:

    | operation | is run by |
    |---|---|
    | elementwise | threads over all elements, the last dimension fastest |
    | sum whose operands are contiguous along it | a warp per output element (up to 8 rows at once), lanes along the sum |
    | the same with one output element | all threads; warps' sums are added in order |
    | any other sum | a thread per output element (up to 8 rows at once) |
    | stores, and loops of loads and stores, outside linalg | the first thread |

    A barrier stands before and after everything that writes; barriers with nothing between them are merged. Every
    output element is summed in an order that depends on sizes only: the same step gives the same bits.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::affine::AffineDialect", "::mlir::vector::VectorDialect"];
}

def WriteStructuredLoops : Pass<"kimi-write-structured-loops", "::mlir::func::FuncOp"> {
  let summary = "Write linalg operations on buffers as loops over vectors";
  let description = [{
    The innermost contiguous output dimension runs in lanes of 16; sums run in one fixed order per output element;
    blocks of four accumulators stay in registers. Operations without such a dimension become scalar loops. Terms that
    share a factor over blocks of the sum (scales of quantised weights) are summed block by block without it.
  }];
  let dependentDialects = ["::mlir::vector::VectorDialect", "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect"];
}

def ExpandMath : Pass<"kimi-expand-math", "::mlir::func::FuncOp"> {
  let summary = "Write conversions of small floats and transcendental functions as plain arithmetic";
  let description = [{
    A kernel object calls no library: exp, log and their like become polynomials (upstream's), bf16 to and from f32
    becomes shifts with rounding to nearest even, f8E4M3FN to f32 becomes shifts, a conversion from f16, and a factor.
  }];
  let dependentDialects = ["::mlir::vector::VectorDialect", "::mlir::math::MathDialect", "::mlir::arith::ArithDialect"];
}

def GenerateCode : Pass<"kimi-generate-code", "::mlir::ModuleOp"> {
  let summary = "Compile every kernel to machine code";
  let description = [{
    CPU: lowers all kernels, links them into one shared object without undefined symbols, writes it to `code-directory`
    under its hash, and records the file as the module attribute `kimi.code`.

    CUDA: prints each kernel as CUDA C++ and compiles it with NVRTC, several at once; the cubin's file is `kernel.code`,
    what a launch needs `kernel.launch = {threads, shared_bytes}`. A kernel with a workspace gets one more result, i8,
    its first dimensions those of the grid. Registers spilled to local memory are an error that names the kernel.

    Kernels keep their signature, implementation, cost and grid; their bodies are gone.
  }];
  let options = [
    Option<"codeDirectory", "code-directory", "std::string", "\".\"", "where machine code goes">,
    Option<"kernelDump", "kernel-dump", "std::string", "\"\"", "where .mlir, and .ll and .s or .cu, .cubin and resources.txt of the kernels go">,
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::func::FuncDialect", "::mlir::vector::VectorDialect",
                           "::mlir::bufferization::BufferizationDialect", "::mlir::affine::AffineDialect",
                           "::mlir::cf::ControlFlowDialect", "::mlir::memref::MemRefDialect", "::mlir::gpu::GPUDialect"];
}

#endif
