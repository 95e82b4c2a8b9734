#ifndef KIMI_DIALECT
#define KIMI_DIALECT

include "mlir/IR/OpBase.td"

def Kimi_Dialect : Dialect {
  let name = "kimi";
  let cppNamespace = "::kimi::model";
  let summary = "A language model of the Kimi-K2 family as a person would draw it";
  let description = [{
    One operation per idea of the model. Lives from `import` to `fuse`. Activations are tensors [T, ...] whose first
    size is the number of tokens in a step; every operation computes in f32 and returns f32, and `kimi.round` is the
    only place where a value loses bits. Weights are symbols with a checkpoint name pattern, read layer by layer; the
    paged cache is memory with effects; step inputs and outputs are named after the table in
    runtime/schema/artifact.fbs.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::kimi::kernel::KernelDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
  let extraClassDeclaration = "void registerAttributes(); void registerTypes();";
}

#endif
