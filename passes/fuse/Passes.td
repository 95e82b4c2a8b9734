#ifndef FUSE_PASSES
#define FUSE_PASSES

include "mlir/Pass/PassBase.td"

def Fuse : Pass<"kimi-fuse", "::mlir::ModuleOp"> {
  let summary = "Group operations around one root and outline each group as a kernel";
  let description = [{
    Every root operation (by its interface) begins a group. An elementwise operation joins the latest group among its
    producers when nothing else reads that producer and its other operands are there already; producers of the same
    kind and shape (gate and up) become one group. Each group becomes a `kernel.func` whose body is the operations'
    own linalg; equal kernels are one kernel. Views of activations move into the kernels that read them.

    Before:
    ```mlir
    %y = kimi.linear %x, %w : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xf32>
    %z = kimi.round %y : tensor<?x4xf32> -> tensor<?x4xbf16>
    ```
    After: `%z = kernel.call @linear_round_4x8(%x, %w) : (tensor<?x8xbf16>, tensor<4x8xbf16>) -> tensor<?x4xbf16>`

    Afterwards no operation of the model is left in a function: only loads, step inputs and outputs, and calls.
  }];
  let dependentDialects = ["::kimi::kernel::KernelDialect"];
  let statistics = [Statistic<"numKernels", "num-kernels", "Number of distinct kernels">];
}

#endif
