#ifndef KIMI_INTERFACES
#define KIMI_INTERFACES

include "mlir/IR/OpBase.td"

def Kimi_ModelOpInterface : OpInterface<"ModelOpInterface"> {
  let cppNamespace = "::kimi::model";
  let description = [{ What a phase may ask any operation of the model, so that passes hold no lists of operations. }];
  let methods = [
    InterfaceMethod<"How `fuse` treats the operation.", "::kimi::model::FusionRole", "fusionRole",
                    (ins), /*methodBody=*/"", /*defaultImplementation=*/"return ::kimi::model::FusionRole::Root;">,
    InterfaceMethod<[{
      Writes the operation's mathematics over `operands` (same types as its own, caches as memrefs) in linalg, scf,
      tensor and structured kernel operations, and returns what replaces its results.
    }], "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "buildBody",
       (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$operands)>,
    InterfaceMethod<[{
      The extents behind the `?` of each result, given those of each operand. By default each result takes the
      extents of operand 0, as many as it has `?`.
    }], "::llvm::SmallVector<::kimi::model::Extents>", "inferDims",
       (ins "::llvm::ArrayRef<::kimi::model::Extents>":$operandDims), /*methodBody=*/"",
       /*defaultImplementation=*/[{
         return ::kimi::model::dimsOfOperand($_op, operandDims, 0);
       }]>,
  ];
}

#endif
