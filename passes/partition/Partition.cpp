// kimi-partition: writes kimi.mesh as the grid @ranks.
#include "dialects/kimi/Kimi.h"
#include "passes/partition/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_PARTITION
#include "passes/partition/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;

namespace {

constexpr llvm::StringLiteral kGridName = "ranks";

struct Partition : kimi::passes::impl::PartitionBase<Partition> {
  void runOnOperation() override;
  LogicalResult checkMesh();
};

LogicalResult Partition::checkMesh() {
  ModuleOp module = getOperation();
  auto mesh = module->getAttrOfType<IntegerAttr>(kimi::model::kMeshAttr);
  if (!mesh)
    return module.emitError() << "the module has no integer " << kimi::model::kMeshAttr
                              << ", the number of ranks: import sets it; write " << kimi::model::kMeshAttr
                              << " = 1 : i64";
  llvm::SmallString<32> ranks;
  mesh.getValue().toStringSigned(ranks);
  if (ranks != "1")
    return module.emitError() << kimi::model::kMeshAttr << " asks for " << ranks
                              << " ranks but a model can be placed on 1 rank only so far: write "
                              << kimi::model::kMeshAttr << " = 1 : i64";
  if (SymbolTable::lookupSymbolIn(module, kGridName))
    return module.emitError() << "the module has a symbol @" << kGridName
                              << " already: it was partitioned before; go on from the phase after partition";
  return success();
}

void Partition::runOnOperation() {
  if (failed(checkMesh()))
    return signalPassFailure();
  OpBuilder builder(getOperation().getBodyRegion());
  shard::GridOp::create(builder, getOperation().getLoc(), kGridName, ArrayRef<int64_t>{1});
}

} // namespace

// Here and nowhere else: which passes are the phase.
void kimi::passes::addPartitionPasses(OpPassManager &passes) {
  passes.addPass(createPartition());
  // From here on no tensor spans ranks.
  passes.addPass(createVerifyAllShapesLocal());
}
