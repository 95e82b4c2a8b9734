// Verifiers. Each check names the constraint of PlanOps.td it keeps.
#include "dialects/plan/PlanSyntax.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace kimi::plan;
namespace model = kimi::model;

#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.cpp.inc"

namespace kimi::plan {

bool isStorageType(Type type) {
  return type.isBF16() || type.isF16() || type.isF32() || isa<Float8E4M3FNType>(type) || type.isInteger(8) ||
         type.isInteger(32) || type.isInteger(64);
}

} // namespace kimi::plan

//===- what the steps refer to -------------------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  if (!getTensorType().hasStaticShape() || !isStorageType(getTensorType().getElementType())) // C3
    return emitOpError() << "'" << getSymName() << "' is " << getType()
                         << " but a file holds known sizes of i8, i32, i64, bf16, f16, f32 or f8E4M3FN";
  std::optional<RankedTensorType> expected = getLayout().physicalType(getLogicalType());
  if (!expected) // C1
    return emitOpError() << "'" << getSymName() << "' packs " << getPacks()
                         << (getLayout().getKind() == kernel::LayoutKind::strided ? " in strides of " : " in panels of ")
                         << getLayout().getWidth()
                         << (getLayout().getKind() == kernel::LayoutKind::strided ? " rows, which do not hold its rows"
                                                                                   : ", which do not divide its columns");
  if (*expected != getTensorType()) // C1
    return emitOpError() << "'" << getSymName() << "' is " << getType() << " but " << getPacks() << " in "
                         << getLayout() << " is " << *expected;
  if (getSource().has_value() == getRope().has_value()) // C2
    return emitOpError() << "'" << getSymName() << "' needs exactly one of a checkpoint name and a rope";
  return success();
}

LogicalResult CacheOp::verify() {
  if (!isStorageType(getCacheType().getElementType())) // C1
    return emitOpError() << "'" << getSymName() << "' holds " << getCacheType().getElementType()
                         << ", which is no type of the artifact's schema";
  return success();
}

LogicalResult KernelOp::verify() {
  if (getProductAttr() && getCodeAttr()) // C1
    return emitOpError() << "'" << getSymName() << "' is a library's product and has code in '" << *getCode() << "'";
  return success();
}

//===- steps -------------------------------------------------------------------------------------------------===//

/// Error where a buffer of `launch` ends beyond an arena of `arenaBytes`.
static LogicalResult verifyInside(Operation *op, LaunchOp launch, int64_t arenaBytes) {
  for (ArrayAttr arguments : {launch.getReads(), launch.getWrites()})
    for (Attribute argument : arguments)
      if (auto arena = dyn_cast<ArenaAttr>(argument); arena && arena.getEnd() > arenaBytes)
        return op->emitOpError() << "launch of '" << launch.getKernel() << "' has a buffer that ends at byte "
                                 << arena.getEnd() << " of an arena of " << arenaBytes;
  return success();
}

LogicalResult BlockOp::verify() {
  for (Operation &op : getBody().front())
    if (!isa<LaunchOp>(op)) // C1
      return emitOpError() << "'" << getSymName() << "' holds '" << op.getName()
                           << "' but a block holds plan.launch only";
  return success();
}

LogicalResult EntryOp::verify() {
  for (Operation &op : getBody().front())
    if (!isa<LaunchOp, CallOp>(op)) // C1
      return emitOpError() << "'" << getSymName() << "' holds '" << op.getName()
                           << "' but an entry holds plan.launch and plan.call only";
  CapacityAttr capacity = getCapacity();
  if (getKind().getValue() == model::EntryKind::decode && capacity.getTokens() != capacity.getSequences()) // C2
    return emitOpError() << "'" << getSymName() << "' is a decode entry of " << capacity.getTokens()
                         << " tokens and " << capacity.getSequences() << " sequences: each brings one token";
  int64_t arenaBytes = getArenaBytes();
  if (arenaBytes < 0 || arenaBytes % kArenaAlignment != 0) // C3
    return emitOpError() << "'" << getSymName() << "' has an arena of " << arenaBytes
                         << " bytes, which is no multiple of " << kArenaAlignment;
  for (auto launch : getBody().getOps<LaunchOp>()) // C3
    if (failed(verifyInside(*this, launch, arenaBytes)))
      return failure();
  return success();
}

LogicalResult LaunchOp::verify() {
  SmallVector<Attribute> arguments(getReads().getValue());
  llvm::append_range(arguments, getWrites());
  for (Attribute argument : arguments) {
    auto arena = dyn_cast<ArenaAttr>(argument);
    if (arena && (arena.getOffset() < 0 || arena.getOffset() % kArenaAlignment != 0 || arena.getBytes() <= 0)) // C4
      return emitOpError() << "of '" << getKernel() << "' has a buffer of " << arena.getBytes() << " bytes at offset "
                           << arena.getOffset() << ": sizes are positive, offsets multiples of " << kArenaAlignment;
  }
  for (size_t i = getReads().size(); i < arguments.size(); ++i) {
    auto written = dyn_cast<ArenaAttr>(arguments[i]);
    if (!written && !isa<model::StepOutputAttr>(arguments[i])) // C3
      return emitOpError() << "of '" << getKernel() << "' writes " << arguments[i]
                           << " but only arena and output can be written";
    for (size_t j = 0; j < i; ++j) {
      auto other = dyn_cast<ArenaAttr>(arguments[j]);
      bool shared = written ? other && written.overlaps(other) : arguments[i] == arguments[j];
      if (shared) // C5
        return emitOpError() << "of '" << getKernel() << "' writes argument " << i << " (" << arguments[i]
                             << ") over argument " << j << " (" << arguments[j] << ")";
    }
  }
  return success();
}

/// What operations of the plan refer to, looked up in the module.
template <typename OpType>
static OpType lookUp(SymbolTableCollection &symbols, Operation *from, FlatSymbolRefAttr name) {
  return symbols.lookupNearestSymbolFrom<OpType>(from, name);
}

/// C7 of a launch.
static LogicalResult verifyProduct(LaunchOp launch, kimi::kernel::MatrixProductAttr product, SymbolTableCollection &symbols) {
  int64_t numReads = launch.getReads().size(), numArguments = numReads + launch.getWrites().size();
  if (launch.getGrid().size() != 1)
    return launch.emitOpError() << "of '" << launch.getKernel() << "' has a grid of " << launch.getGrid().size()
                                << " sizes but a product's is the number of its rows";
  if (product.getActivations() >= numReads || product.getWeight() >= numReads || product.getResult() < numReads ||
      product.getWorkspace() < numReads || product.getResult() >= numArguments || product.getWorkspace() >= numArguments)
    return launch.emitOpError() << "of '" << launch.getKernel() << "' has " << numReads << " reads and "
                                << launch.getWrites().size() << " writes, which are not those of " << product;
  auto ref = dyn_cast<WeightRefAttr>(launch.getReads()[product.getWeight()]);
  auto weight = ref ? lookUp<WeightOp>(symbols, launch, ref.getSymbol()) : WeightOp();
  if (!weight || weight.getTensorType().getElementType() != product.getWeightType() ||
      weight.getTensorType().getNumElements() != product.getColumns() * product.getDepth())
    return launch.emitOpError() << "of '" << launch.getKernel() << "' multiplies by " << launch.getReads()[product.getWeight()]
                                << " but its product needs a weight of " << product.getColumns() << " x "
                                << product.getDepth() << " " << product.getWeightType();
  auto workspace = dyn_cast<ArenaAttr>(launch.getWrites()[product.getWorkspace() - numReads]);
  if (!workspace || workspace.getOffset() % kWorkspaceAlignment != 0 || workspace.getBytes() != product.getWorkspaceBytes())
    return launch.emitOpError() << "of '" << launch.getKernel() << "' has the workspace "
                                << launch.getWrites()[product.getWorkspace() - numReads]
                                << " but it is " << product.getWorkspaceBytes() << " bytes of the arena at a multiple of "
                                << kWorkspaceAlignment;
  return success();
}

/// C8 of a launch, C4 of a call: `op` stands in an entry.
static LogicalResult verifyNoGraph(Operation *op, LaunchOp launch, SymbolTableCollection &symbols) {
  auto entry = dyn_cast<EntryOp>(op->getParentOp());
  auto kernel = lookUp<KernelOp>(symbols, launch, launch.getKernelAttr());
  if (!entry || !kernel || !kernel.getProductAttr() || entry.getKind().getValue() != model::EntryKind::decode)
    return success();
  return op->emitOpError() << "runs '" << launch.getKernel() << "', a call of " << kernel.getImpl().getName().getValue()
                           << ", in the decode entry '" << entry.getSymName() << "', whose graph holds kernels only";
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto launched = lookUp<KernelOp>(symbols, *this, getKernelAttr());
  if (!launched) // C1
    return emitOpError() << "launches '" << getKernel() << "' which is no plan.kernel";
  if (auto product = launched.getProductAttr(); product && failed(verifyProduct(*this, product, symbols))) // C7
    return failure();
  if (failed(verifyNoGraph(*this, *this, symbols))) // C8
    return failure();
  for (Attribute argument : getReads()) {
    if (auto ref = dyn_cast<WeightRefAttr>(argument)) {
      auto weight = lookUp<WeightOp>(symbols, *this, ref.getSymbol());
      if (!weight) // C2
        return emitOpError() << "reads " << ref.getSymbol() << " which is no plan.weight";
      if (weight.getNumLayers() && isa<EntryOp>((*this)->getParentOp())) // C6
        return emitOpError() << "reads " << ref.getSymbol() << " which has " << *weight.getNumLayers()
                             << " layers, outside a block";
    } else if (auto ref = dyn_cast<CacheRefAttr>(argument)) {
      if (!lookUp<CacheOp>(symbols, *this, ref.getSymbol())) // C2
        return emitOpError() << "uses " << ref.getSymbol() << " which is no plan.cache";
    }
  }
  return success();
}

/// C2 of a call, for one argument of one of its block's launches.
static LogicalResult verifyLayer(CallOp call, Attribute argument, SymbolTableCollection &symbols) {
  int64_t layer = call.getLayer(), first = 0, count = 0;
  FlatSymbolRefAttr name;
  if (auto ref = dyn_cast<WeightRefAttr>(argument)) {
    auto weight = lookUp<WeightOp>(symbols, call, name = ref.getSymbol());
    if (!weight || !weight.getNumLayers())
      return success();
    first = weight.getFirstLayer().value_or(0), count = *weight.getNumLayers();
  } else if (auto ref = dyn_cast<CacheRefAttr>(argument)) {
    auto cache = lookUp<CacheOp>(symbols, call, name = ref.getSymbol());
    if (!cache)
      return success();
    count = cache.getNumLayers();
  } else {
    return success();
  }
  if (layer >= first && layer - first < count)
    return success();
  return call.emitOpError() << "runs '" << call.getBlock() << "' for layer " << layer << " but " << name << " has "
                            << count << " layers from " << first << " on";
}

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto block = lookUp<BlockOp>(symbols, *this, getBlockAttr());
  if (!block) // C1
    return emitOpError() << "calls '" << getBlock() << "' which is no plan.block";
  auto entry = cast<EntryOp>((*this)->getParentOp());
  for (auto launch : block.getBody().getOps<LaunchOp>()) {
    for (Attribute argument : launch.getReads()) // C2
      if (failed(verifyLayer(*this, argument, symbols)))
        return failure();
    if (failed(verifyInside(*this, launch, entry.getArenaBytes()))) // C3
      return failure();
    if (failed(verifyNoGraph(*this, launch, symbols))) // C4
      return failure();
  }
  return success();
}
