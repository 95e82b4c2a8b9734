#ifndef KERNEL_DIALECT
#define KERNEL_DIALECT

include "mlir/IR/OpBase.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::kimi::kernel";
  let summary = "Fused groups, how each is implemented, and the structured bodies upstream lacks";
  let description = [{
    Lives from `fuse` to `plan`. A `kernel.func` is one launch: a group of operations around one root, its body in
    `linalg`, `scf`, `tensor` and the structured operations below. `select` attaches implementation, layouts and
    cost; `codegen` turns the body into machine code; `plan` turns each `kernel.call` into a `plan.launch`.
  }];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = "void registerAttributes();";
  let hasConstantMaterializer = 0;
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::math::MathDialect"];
}

#endif
