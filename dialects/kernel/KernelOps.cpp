#include "dialects/kernel/Kernel.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace kimi::kernel;

#include "dialects/kernel/KernelInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/kernel/KernelOps.cpp.inc"

//===- func, return, call ------------------------------------------------------------------------------------===//

void FuncOp::build(OpBuilder &builder, OperationState &state, StringRef name, FunctionType type) {
  state.addAttribute(SymbolTable::getSymbolAttrName(), builder.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name), TypeAttr::get(type));
  state.addRegion();
}

ParseResult FuncOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildFuncType = [](Builder &builder, ArrayRef<Type> arguments, ArrayRef<Type> results,
                          function_interface_impl::VariadicFlag, std::string &) {
    return builder.getFunctionType(arguments, results);
  };
  return function_interface_impl::parseFunctionOp(parser, result, /*allowVariadic=*/false,
                                                  getFunctionTypeAttrName(result.name), buildFuncType,
                                                  getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void FuncOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
                                           getArgAttrsAttrName(), getResAttrsAttrName());
}

static SmallVector<ExtentAttr> extentsOf(Attribute attribute) {
  SmallVector<ExtentAttr> extents;
  if (auto array = dyn_cast_or_null<ArrayAttr>(attribute))
    for (Attribute element : array)
      if (auto extent = dyn_cast<ExtentAttr>(element))
        extents.push_back(extent);
  return extents;
}

SmallVector<ExtentAttr> FuncOp::getArgumentDims(unsigned index) { return extentsOf(getArgAttr(index, kDimsAttr)); }
SmallVector<ExtentAttr> FuncOp::getResultDims(unsigned index) { return extentsOf(getResultAttr(index, kDimsAttr)); }

static LogicalResult verifyDims(FuncOp func, Type type, size_t numExtents, const Twine &what) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasRank())
    return func.emitOpError() << what << " has type " << type << " but kernels take and return ranked tensors";
  if (shaped.getNumDynamicDims() != static_cast<int64_t>(numExtents))
    return func.emitOpError() << what << " has " << shaped.getNumDynamicDims() << " unknown sizes but "
                              << numExtents << " kernel.dims";
  return success();
}

LogicalResult FuncOp::verify() {
  for (auto [index, type] : llvm::enumerate(getArgumentTypes()))
    if (failed(verifyDims(*this, type, getArgumentDims(index).size(), "argument " + Twine(index))))
      return failure();
  for (auto [index, type] : llvm::enumerate(getResultTypes()))
    if (failed(verifyDims(*this, type, getResultDims(index).size(), "result " + Twine(index))))
      return failure();
  return success();
}

LogicalResult ReturnOp::verify() {
  auto func = cast<FuncOp>((*this)->getParentOp());
  if (getOperandTypes() != TypeRange(func.getResultTypes()))
    return emitOpError() << "returns " << getOperandTypes() << " but '" << func.getSymName() << "' declares "
                         << func.getResultTypes();
  return success();
}

/// Callers name weights by their logical type; the callee's argument may have been given a physical one.
static Type logicalType(FuncOp func, unsigned index, Type declared) {
  auto weight = func.getArgAttrOfType<TypeAttr>(index, kWeightAttr);
  return weight ? weight.getValue() : declared;
}

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto func = symbols.lookupNearestSymbolFrom<FuncOp>(*this, getCalleeAttr());
  if (!func) // C1
    return emitOpError() << "calls '" << getCallee() << "' which is no kernel.func";
  if (func.getNumArguments() != getNumOperands()) // C2
    return emitOpError() << "passes " << getNumOperands() << " operands but '" << getCallee() << "' takes "
                         << func.getNumArguments();
  for (auto [index, pair] : llvm::enumerate(llvm::zip(getOperandTypes(), func.getArgumentTypes())))
    if (auto [given, declared] = pair; isa<TensorType>(given) && given != logicalType(func, index, declared))
      return emitOpError() << "operand " << index << " is " << given << " but '" << getCallee() << "' takes "
                           << logicalType(func, index, declared);
  if (TypeRange(func.getResultTypes()) != getResultTypes())
    return emitOpError() << "returns " << getResultTypes() << " but '" << getCallee() << "' returns "
                         << func.getResultTypes();
  return success();
}

//===- structured bodies -------------------------------------------------------------------------------------===//

static int64_t dimOf(Value value, int64_t index) { return cast<ShapedType>(value.getType()).getDimSize(index); }

static LogicalResult agree(Operation *op, StringRef first, int64_t a, StringRef second, int64_t b) {
  if (a == b)
    return success();
  return op->emitOpError() << first << " is " << a << " but " << second << " is " << b;
}

LogicalResult GroupedMatmulOp::verify() {
  if (failed(agree(*this, "K of x", dimOf(getX(), 1), "K of weight", dimOf(getWeight(), 2)))) // C1
    return failure();
  if (failed(agree(*this, "the size of offsets", dimOf(getOffsets(), 0), "groups + 1",
                   dimOf(getWeight(), 0) + 1))) // C2
    return failure();
  int64_t rank = isPanel() ? 3 : 2;
  if (cast<ShapedType>(getInit().getType()).getRank() != rank) // C3
    return emitOpError() << "init is " << getInit().getType() << " but needs rank " << rank << " for weight "
                         << getWeight().getType();
  return success();
}

LogicalResult PagedAttentionOp::verify() {
  if (failed(agree(*this, "the cache row", dimOf(getCache(), 2), "latent + rope",
                   dimOf(getQuery(), 2) + dimOf(getQueryRope(), 2)))) // C1
    return failure();
  return agree(*this, "heads of query", dimOf(getQuery(), 1), "heads of query_rope", dimOf(getQueryRope(), 1)); // C2
}

LogicalResult PagedAttentionExpandedOp::verify() {
  if (failed(agree(*this, "the cache row", dimOf(getCache(), 2), "latent + rope",
                   dimOf(getKeyWeight(), 2) + dimOf(getQueryRope(), 2)))) // C1
    return failure();
  if (failed(agree(*this, "heads of query", dimOf(getQuery(), 1), "heads of key_weight",
                   dimOf(getKeyWeight(), 0)))) // C2
    return failure();
  return agree(*this, "the query's size", dimOf(getQuery(), 2), "the key's size", dimOf(getKeyWeight(), 1)); // C2
}

LogicalResult PagedScatterOp::verify() {
  int64_t columns = 0;
  Type element = cast<ShapedType>(getCache().getType()).getElementType();
  for (Value part : getParts()) {
    columns += dimOf(part, 1);
    if (Type given = cast<ShapedType>(part.getType()).getElementType(); given != element) // C2
      return emitOpError() << "writes " << given << " into a cache of " << element << ": round it first";
  }
  return agree(*this, "the cache row", dimOf(getCache(), 2), "the sum of the parts' columns", columns); // C1
}

LogicalResult GroupTopKOp::verify() {
  int64_t experts = dimOf(getScores(), 1), k = dimOf(getResult(), 1), groups = getGroups(), kept = getKeptGroups();
  if (k < 1 || k > experts) // C1
    return emitOpError() << "asks for the " << k << " highest of " << experts << " scores";
  if (groups < 1 || experts % groups != 0) // C2
    return emitOpError() << "splits " << experts << " scores into " << groups << " groups of unequal size";
  if (kept < 1 || kept > groups) // C3
    return emitOpError() << "keeps " << kept << " of " << groups << " groups";
  return success();
}

LogicalResult SortByGroupOp::verify() {
  if (dimOf(getOffsets(), 0) < 2) // C1
    return emitOpError() << "offsets has " << dimOf(getOffsets(), 0) << " elements; at least 2 are needed";
  return success();
}
