#include "passes/fuse/FusionGroups.h"

using namespace mlir;
using namespace kimi::model;

namespace kimi::passes {

bool isView(Operation *op) {
  return isa_and_nonnull<tensor::ExtractSliceOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op);
}

bool isOperand(Operation *op) {
  auto modelOp = dyn_cast_or_null<ModelOpInterface>(op);
  return modelOp && modelOp.fusionRole() == FusionRole::Operand;
}

namespace {

class GroupFormer {
public:
  SmallVector<std::unique_ptr<FusionGroup>> run(func::FuncOp function) {
    for (Operation &op : function.getBody().front())
      if (auto modelOp = dyn_cast<ModelOpInterface>(op); modelOp && !isOperand(&op))
        place(modelOp);
    llvm::erase_if(groups, [](const std::unique_ptr<FusionGroup> &group) { return group->ops.empty(); });
    return std::move(groups);
  }

private:
  void place(ModelOpInterface op) {
    if (op.fusionRole() == FusionRole::Elementwise)
      if (FusionGroup *group = groupToJoin(op))
        return add(group, op);
    groups.push_back(std::make_unique<FusionGroup>());
    groups.back()->isOpen = op.fusionRole() != FusionRole::Opaque;
    add(groups.back().get(), op);
  }

  void add(FusionGroup *group, Operation *op) {
    group->ops.push_back(op);
    groupOf[op] = group;
  }

  /// The group of the producer of `value`, if `value` may be fused into its only reader.
  FusionGroup *fusableProducer(Value value) {
    Operation *producer = value.getDefiningOp();
    auto found = producer ? groupOf.find(producer) : groupOf.end();
    if (found == groupOf.end() || !found->second->isOpen || !value.hasOneUse())
      return nullptr;
    return found->second;
  }

  FusionGroup *groupToJoin(Operation *op) {
    SmallVector<FusionGroup *> producers;
    for (Value operand : op->getOperands())
      if (FusionGroup *group = fusableProducer(operand); group && !llvm::is_contained(producers, group))
        producers.push_back(group);
    if (producers.empty())
      return nullptr;
    llvm::sort(producers, [](FusionGroup *a, FusionGroup *b) { return a->ops[0]->isBeforeInBlock(b->ops[0]); });
    if (producers.size() == 2 && areTwins(producers[0], producers[1]) && canMoveTo(producers[1], producers[0]))
      return merge(producers[0], producers[1]);
    FusionGroup *latest = producers.back();
    return operandsAreReady(op, latest) ? latest : nullptr;
  }

  /// Two lone roots of the same kind and result, such as the gate and up projections.
  static bool areTwins(FusionGroup *a, FusionGroup *b) {
    return a->ops.size() == 1 && b->ops.size() == 1 && a->ops[0]->getName() == b->ops[0]->getName() &&
           a->ops[0]->getResultTypes() == b->ops[0]->getResultTypes();
  }

  /// Whether `value` is there before `group` runs.
  bool isReady(Value value, FusionGroup *group) {
    Operation *producer = value.getDefiningOp();
    while (isView(producer))
      producer = producer->getOperand(0).getDefiningOp();
    if (!producer)
      return true;
    if (isOperand(producer))
      return operandsAreReady(producer, group);
    auto found = groupOf.find(producer);
    if (found != groupOf.end())
      return found->second == group || found->second->ops[0]->isBeforeInBlock(group->ops[0]);
    // Loads and step inputs have no order: outlining moves them up where needed.
    return producer->getNumOperands() == 0 || isa<LoadWeightOp, LoadCacheOp>(producer) ||
           producer->isBeforeInBlock(group->ops[0]);
  }

  bool operandsAreReady(Operation *op, FusionGroup *group) {
    return llvm::all_of(op->getOperands(), [&](Value value) { return isReady(value, group); });
  }

  bool canMoveTo(FusionGroup *from, FusionGroup *to) { return operandsAreReady(from->ops[0], to); }

  FusionGroup *merge(FusionGroup *into, FusionGroup *from) {
    for (Operation *op : from->ops)
      add(into, op);
    from->ops.clear();
    return into;
  }

  SmallVector<std::unique_ptr<FusionGroup>> groups;
  DenseMap<Operation *, FusionGroup *> groupOf;
};

} // namespace

SmallVector<std::unique_ptr<FusionGroup>> formGroups(func::FuncOp function) { return GroupFormer().run(function); }

} // namespace kimi::passes
