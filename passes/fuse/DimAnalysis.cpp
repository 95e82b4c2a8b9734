#include "passes/fuse/DimAnalysis.h"

using namespace mlir;
using namespace kimi::model;
using kimi::kernel::DimSymbol;
using kimi::kernel::ExtentAttr;

namespace kimi::passes {

static Extents tokensOf(Type type) {
  auto shaped = dyn_cast<RankedTensorType>(type);
  if (!shaped)
    return {};
  return Extents(shaped.getNumDynamicDims(), ExtentAttr::get(type.getContext(), DimSymbol::tokens));
}

DimAnalysis::DimAnalysis(func::FuncOp function) {
  for (Value argument : function.getArguments())
    dims[argument] = tokensOf(argument.getType());
  for (Operation &op : function.getBody().front())
    visit(op);
}

void DimAnalysis::visit(Operation &op) {
  if (auto input = dyn_cast<StepInputOp>(op)) {
    dims[input.getResult()] = stepInputDims(input.getInput(), op.getContext());
    return;
  }
  SmallVector<Extents> operands;
  for (Value operand : op.getOperands())
    operands.push_back(of(operand));
  SmallVector<Extents> results;
  if (auto modelOp = dyn_cast<ModelOpInterface>(op))
    results = modelOp.inferDims(operands);
  else if (isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    results = dimsOfOperand(&op, operands, 0); // views keep the leading size
  else
    for (Type type : op.getResultTypes())
      results.push_back(tokensOf(type));
  for (auto [result, extents] : llvm::zip(op.getResults(), results))
    dims[result] = extents;
}

const Extents &DimAnalysis::of(Value value) const {
  static const Extents none;
  auto found = dims.find(value);
  return found == dims.end() ? none : found->second;
}

} // namespace kimi::passes
