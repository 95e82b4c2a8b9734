// kimi-lower-to-plan: functions and kernels → blocks, entries and launches.
#include "passes/plan/Capacity.h"
#include "passes/plan/Passes.h"

#include "mlir/IR/Matchers.h"

namespace kimi::passes {
#define GEN_PASS_DEF_LOWERTOPLAN
#include "passes/plan/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::plan;
using kimi::model::LoadCacheOp;
using kimi::model::LoadWeightOp;
using kimi::model::StepInputOp;
using KernelCall = kimi::kernel::CallOp;
using KernelFunc = kimi::kernel::FuncOp;

namespace {

class Lowering {
public:
  Lowering(ModuleOp module) : module(module), symbols(module), builder(module.getContext()) {}

  LogicalResult run();

private:
  LogicalResult lowerFunction(func::FuncOp function, Block *body);
  LogicalResult lowerLaunch(KernelCall call);
  LogicalResult lowerCall(func::CallOp call);
  FailureOr<Attribute> argumentOf(KernelCall call, OpOperand &operand);
  LogicalResult checkLayout(KernelCall call, unsigned index, kimi::model::WeightOp weight);
  LogicalResult checkLayer(Operation *load, Value layer);
  LogicalResult defineWeight(kimi::model::WeightOp weight);
  LogicalResult defineKernel(KernelFunc func);
  LogicalResult defineAll();
  Attribute bufferOf(Value value);

  ModuleOp module;
  SymbolTable symbols;
  OpBuilder builder;
  llvm::SetVector<Operation *> weights, kernels; // that launches use, in order of first use
};

kimi::kernel::LayoutAttr layoutOf(kimi::model::WeightOp weight) {
  if (auto layout = dyn_cast_or_null<kimi::kernel::LayoutAttr>(weight.getLayoutAttr()))
    return layout;
  return kimi::kernel::LayoutAttr::get(weight.getContext(), kimi::kernel::LayoutKind::row_major, 1);
}

/// The kernel's name in the code file is its name in the plan.
StringRef symbolOf(KernelFunc func) {
  auto symbol = func->getAttrOfType<StringAttr>(kSymbolAttr);
  return symbol ? symbol.getValue() : func.getSymName();
}

Attribute Lowering::bufferOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return cast<func::FuncOp>(argument.getOwner()->getParentOp())
        .getArgAttr(argument.getArgNumber(), kArgumentBufferAttr);
  auto buffers = value.getDefiningOp()->getAttrOfType<ArrayAttr>(kResultBuffersAttr);
  return buffers ? buffers[cast<OpResult>(value).getResultNumber()] : Attribute();
}

/// A block knows one layer, the one it is called for.
LogicalResult Lowering::checkLayer(Operation *load, Value layer) {
  if (!layer || isa<BlockArgument>(layer))
    return success();
  return load->emitError() << "loads a layer that is not the layer its function is called for: a plan cannot say that";
}

LogicalResult Lowering::checkLayout(KernelCall call, unsigned index, kimi::model::WeightOp weight) {
  auto func = symbols.lookup<KernelFunc>(call.getCallee());
  auto logical = cast<RankedTensorType>(weight.getType());
  std::optional<RankedTensorType> physical = layoutOf(weight).physicalType(logical);
  if (physical && *physical == func.getArgumentTypes()[index])
    return success();
  InFlightDiagnostic error = call.emitError() << "'" << call.getCallee() << "' reads '" << weight.getSymName()
                                              << "' as " << func.getArgumentTypes()[index] << " but it lies as ";
  if (physical)
    return error << *physical;
  return error << layoutOf(weight) << " of " << logical << ", which is no shape";
}

FailureOr<Attribute> Lowering::argumentOf(KernelCall call, OpOperand &operand) {
  Value value = operand.get();
  MLIRContext *context = call.getContext();
  if (auto load = value.getDefiningOp<LoadWeightOp>()) {
    auto weight = symbols.lookup<kimi::model::WeightOp>(load.getWeight());
    if (failed(checkLayer(load, load.getLayer())) || failed(checkLayout(call, operand.getOperandNumber(), weight)))
      return failure();
    weights.insert(weight);
    return Attribute(WeightRefAttr::get(context, load.getWeightAttr()));
  }
  if (auto load = value.getDefiningOp<LoadCacheOp>()) {
    if (failed(checkLayer(load, load.getLayer())))
      return failure();
    return Attribute(CacheRefAttr::get(context, load.getCacheAttr()));
  }
  if (auto input = value.getDefiningOp<StepInputOp>())
    return Attribute(kimi::model::StepInputAttr::get(context, input.getInput()));
  if (Attribute buffer = bufferOf(value))
    return buffer;
  return call.emitError() << "operand " << operand.getOperandNumber() << " of '" << call.getCallee()
                          << "' has no buffer: run kimi-assign-buffers first";
}

LogicalResult Lowering::lowerLaunch(KernelCall call) {
  SmallVector<Attribute> reads, writes;
  for (OpOperand &operand : call->getOpOperands()) {
    FailureOr<Attribute> argument = argumentOf(call, operand);
    if (failed(argument))
      return failure();
    reads.push_back(*argument);
  }
  for (Value result : call.getResults())
    writes.push_back(bufferOf(result));
  auto func = symbols.lookup<KernelFunc>(call.getCallee());
  auto grid = func->getAttrOfType<ArrayAttr>(kGridAttr);
  if (!grid || llvm::is_contained(writes, Attribute()))
    return call.emitError() << "'" << call.getCallee() << "' has no " << (grid ? kResultBuffersAttr : kGridAttr)
                            << ": run " << (grid ? "kimi-assign-buffers" : "codegen") << " first";
  kernels.insert(func);
  LaunchOp::create(builder, call.getLoc(), FlatSymbolRefAttr::get(call.getContext(), symbolOf(func)), grid,
                   builder.getArrayAttr(reads), builder.getArrayAttr(writes));
  return success();
}

LogicalResult Lowering::lowerCall(func::CallOp call) {
  IntegerAttr layer = builder.getI64IntegerAttr(0);
  if (call.getNumOperands() > 1 && !matchPattern(call.getOperand(1), m_Constant(&layer)))
    return call.emitError() << "'" << call.getCallee() << "' is called for a layer that is no constant";
  CallOp::create(builder, call.getLoc(), call.getCalleeAttr().getAttr(), layer.getInt());
  return success();
}

LogicalResult Lowering::lowerFunction(func::FuncOp function, Block *body) {
  builder.setInsertionPointToEnd(body);
  for (Operation &op : function.getBody().front()) {
    if (auto call = dyn_cast<KernelCall>(op); call && failed(lowerLaunch(call)))
      return failure();
    if (auto call = dyn_cast<func::CallOp>(op); call && failed(lowerCall(call)))
      return failure();
  }
  return success();
}

LogicalResult Lowering::defineWeight(kimi::model::WeightOp weight) {
  auto logical = cast<RankedTensorType>(weight.getType());
  auto layout = layoutOf(weight);
  WeightOp::create(builder, weight.getLoc(), weight.getSymNameAttr(), TypeAttr::get(*layout.physicalType(logical)),
                   TypeAttr::get(logical), layout, weight.getSourceAttr(), weight.getRopeAttr(),
                   weight.getFirstLayerAttr(), weight.getNumLayersAttr(), weight.getExpertsAttr(),
                   weight.getRowsAttr(), weight.getQuantisedAttr());
  return success();
}

LogicalResult Lowering::defineKernel(KernelFunc func) {
  if (!func.getImplAttr())
    return func.emitError() << "'" << func.getSymName() << "' has no implementation: run select first";
  KernelOp::create(builder, func.getLoc(), builder.getStringAttr(symbolOf(func)), func.getImplAttr(),
                   func.getCostAttr(), func->getAttrOfType<StringAttr>(kKernelCodeAttr),
                   func->getAttrOfType<kimi::kernel::LaunchAttr>(kLaunchAttr),
                   func->getAttrOfType<kimi::kernel::MatrixProductAttr>(kProductAttr));
  return success();
}

/// Weights and caches in the order of the model, kernels in the order of first use.
LogicalResult Lowering::defineAll() {
  builder.setInsertionPointToStart(module.getBody());
  for (auto weight : module.getOps<kimi::model::WeightOp>())
    if (weights.contains(weight) && failed(defineWeight(weight)))
      return failure();
  for (auto cache : module.getOps<kimi::model::CacheOp>())
    CacheOp::create(builder, cache.getLoc(), cache.getSymNameAttr(), cache.getTypeAttr(), cache.getNumLayersAttr());
  for (Operation *func : kernels)
    if (failed(defineKernel(cast<KernelFunc>(func))))
      return failure();
  return success();
}

LogicalResult Lowering::run() {
  SmallVector<Operation *> old;
  for (Operation &op : *module.getBody())
    old.push_back(&op);
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    builder.setInsertionPointToEnd(module.getBody());
    Block *body;
    if (kimi::model::EntryAttr attr = kimi::passes::entryAttrOf(function)) {
      auto capacity = function->getAttrOfType<CapacityAttr>(kCapacityAttr);
      auto arenaBytes = function->getAttrOfType<IntegerAttr>(kArenaBytesAttr);
      if (!capacity || !arenaBytes)
        return function.emitError() << "'" << function.getSymName() << "' has no "
                                    << kArenaBytesAttr << ": run kimi-assign-buffers first";
      auto entry = EntryOp::create(builder, function.getLoc(), function.getSymNameAttr(),
                                   EntryKindAttr::get(module.getContext(), attr.getKind()), capacity, arenaBytes);
      body = &entry.getBody().emplaceBlock();
    } else {
      auto block = BlockOp::create(builder, function.getLoc(), function.getSymNameAttr());
      body = &block.getBody().emplaceBlock();
    }
    if (failed(lowerFunction(function, body)))
      return failure();
  }
  if (failed(defineAll()))
    return failure();
  for (Operation *op : old)
    op->erase();
  return success();
}

struct LowerToPlan : kimi::passes::impl::LowerToPlanBase<LowerToPlan> {
  void runOnOperation() override {
    if (failed(Lowering(getOperation()).run()))
      return signalPassFailure();
  }
};

} // namespace
