#ifndef KERNEL_INTERFACES
#define KERNEL_INTERFACES

include "mlir/IR/OpBase.td"

def Kernel_LoopsOpInterface : OpInterface<"LoopsOpInterface"> {
  let cppNamespace = "::kimi::kernel";
  let description = [{
    A structured operation that can write itself as loops over upstream operations. `codegen` calls it after tiling;
    results replace the operation's results one to one.
  }];
  let methods = [
    InterfaceMethod<"Writes the operation as loops before itself and returns what replaces its results.",
                    "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "buildLoops",
                    (ins "::mlir::OpBuilder &":$builder)>,
  ];
}

#endif
