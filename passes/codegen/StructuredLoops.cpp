#include "passes/codegen/StructuredLoops.h"

#include "passes/codegen/BlockScale.h"
#include "passes/codegen/LanePlan.h"
#include "passes/codegen/LoopPositions.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

#include <map>

using namespace mlir;

namespace kimi::passes {

namespace {

// A block of output elements is kept in registers through the sums: rows times columns of 16 lanes. Four are eight
// AVX2 registers of accumulators, enough to hide the latency of the multiply-adds.
constexpr int64_t kBlock = 4;

// Blocks of a sum up to this size are written out, so that which half of a byte is read is known when it is compiled.
constexpr int64_t kUnrolled = 2;

/// Offsets of one element of a register block, per loop.
using Point = SmallVector<int64_t>;

class LoopWriter {
public:
  explicit LoopWriter(linalg::GenericOp op)
      : op(op), b(op), loc(op.getLoc()), plan(planLanes(op)), numLoops(op.getNumLoops()), ivs(numLoops),
        block(numLoops, 1), staticSizes(op.getStaticLoopRanges()), positions(op),
        blockScale(plan.use == LaneUse::Reduction ? std::nullopt : findBlockScale(op)) {}

  void run() {
    for (Range range : cast<linalg::LinalgOp>(op.getOperation()).createLoopRanges(b, loc))
      sizes.push_back(getValueOrCreateConstantIndexOp(b, loc, range.size));
    auto iterators = op.getIteratorTypesArray();
    for (unsigned loop = 0; loop < numLoops; ++loop) {
      bool isLane = plan.use != LaneUse::None && loop == plan.loop;
      if (iterators[loop] == utils::IteratorType::reduction)
        isLane ? void() : reductions.push_back(loop);
      else if (!isLane)
        parallels.push_back(loop);
    }
    chooseBlocks();
    writeParallel(0);
  }

private:
  bool hasReduction() const { return !reductions.empty() || plan.use == LaneUse::Reduction; }

  void chooseBlocks() {
    if (!hasReduction())
      return;
    SmallVector<unsigned> long_;
    for (unsigned loop : parallels)
      if (staticSizes[loop] != 1)
        long_.push_back(loop);
    if (!long_.empty())
      rowLoop = long_.front();
    if (long_.size() > 1)
      columnLoop = long_.back();
  }

  SmallVector<int64_t> blockSizes(unsigned loop) {
    if (rowLoop == loop)
      return {kBlock, kBlock / 2, 1};
    if (columnLoop == loop && block[*rowLoop] < kBlock)
      return {kBlock / block[*rowLoop], 1};
    return {1};
  }

  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

  /// Runs `body` for iv = begin, begin + step, .. < end, without a loop where there is exactly one turn.
  void writeLoop(unsigned loop, Value begin, Value end, int64_t step, function_ref<void()> body) {
    auto first = getConstantIntValue(begin), last = getConstantIntValue(end);
    if (first && last && *first >= *last)
      return;
    if (first && last && *first + step >= *last) {
      ivs[loop] = begin;
      body();
      return;
    }
    auto forOp = scf::ForOp::create(b, loc, begin, end, index(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forOp.getBody()->getTerminator());
    ivs[loop] = forOp.getInductionVar();
    body();
  }

  /// begin + the largest multiple of `step` that fits before `end`.
  Value roundDown(Value begin, Value end, int64_t step) {
    auto first = getConstantIntValue(begin), last = getConstantIntValue(end);
    if (first && last)
      return index(*first + (*last - *first) / step * step);
    Value count = arith::SubIOp::create(b, loc, end, begin);
    Value rest = arith::RemUIOp::create(b, loc, count, index(step));
    return arith::SubIOp::create(b, loc, end, rest);
  }

  void writeParallel(unsigned depth) {
    if (depth == parallels.size())
      return writeLane();
    unsigned loop = parallels[depth];
    Value begin = index(0);
    for (int64_t step : blockSizes(loop)) {
      Value end = step == 1 ? sizes[loop] : roundDown(begin, sizes[loop], step);
      block[loop] = step;
      writeLoop(loop, begin, end, step, [&] { writeParallel(depth + 1); });
      begin = end;
    }
    block[loop] = 1;
  }

  void writeLane() {
    if (plan.use != LaneUse::Parallel)
      return writeElements(1);
    Value end = roundDown(index(0), sizes[plan.loop], kLanes);
    writeLoop(plan.loop, index(0), end, kLanes, [&] { writeElements(kLanes); });
    writeLoop(plan.loop, end, sizes[plan.loop], 1, [&] { writeElements(1); });
  }

  SmallVector<Point> points() {
    SmallVector<Point> all = {Point(numLoops, 0)};
    for (unsigned loop = 0; loop < numLoops; ++loop) {
      SmallVector<Point> next;
      for (const Point &point : all)
        for (int64_t offset = 0; offset < block[loop]; ++offset) {
          next.push_back(point);
          next.back()[loop] = offset;
        }
      all = std::move(next);
    }
    return all;
  }

  bool readsInit(unsigned output) { return hasReduction() || !op.getRegionOutputArgs()[output].use_empty(); }

  /// Computes and stores one register block: every point, every output.
  void writeElements(int64_t width) {
    SmallVector<Point> block = points();
    SmallVector<Value> accumulators;
    dimIndices.clear(); // what was cached belongs to another loop
    for (const Point &point : block)
      for (OpOperand &init : op.getDpsInitsMutable())
        if (readsInit(init.getOperandNumber() - op.getNumDpsInputs()))
          accumulators.push_back(load(init, point, width));
        else
          accumulators.push_back(Value());
    if (plan.use == LaneUse::Reduction)
      accumulators = reduceLanes(block, accumulators);
    else
      accumulators = reduce(block, accumulators, 0, width);
    unsigned next = 0;
    for (const Point &point : block)
      for (OpOperand &init : op.getDpsInitsMutable())
        store(accumulators[next++], init, point, width);
  }

  /// The reduction loops from `depth` on, accumulators in registers; innermost, the payload of every point.
  SmallVector<Value> reduce(ArrayRef<Point> block, ArrayRef<Value> accumulators, unsigned depth, int64_t width) {
    if (depth == reductions.size())
      return evaluateAll(block, accumulators, width);
    unsigned loop = reductions[depth];
    return reduceBlocks(block, accumulators, depth, width, index(0), sizes[loop], positions.blocksOf(loop));
  }

  /// The same sum in the same order, as nested loops over blocks: what is indexed by block stands outside the inner loop.
  SmallVector<Value> reduceBlocks(ArrayRef<Point> block, ValueRange accumulators, unsigned depth, int64_t width,
                                  Value begin, Value end, ArrayRef<int64_t> sizes) {
    unsigned loop = reductions[depth];
    auto next = [&](ValueRange now) { return reduce(block, SmallVector<Value>(now), depth + 1, width); };
    if (sizes.empty())
      return carryLoop(loop, begin, end, 1, accumulators, next);
    int64_t size = sizes.front();
    bool isWhole = staticSizes[loop] != ShapedType::kDynamic && staticSizes[loop] % size == 0;
    return carryLoop(loop, begin, end, size, accumulators, [&](ValueRange now) {
      Value first = ivs[loop];
      positions.enterBlock(loop, size, first);
      if (isWhole && size <= kUnrolled)
        return unroll(loop, first, size, now, next);
      Value last = arith::AddIOp::create(b, loc, first, index(size));
      if (!isWhole)
        last = arith::MinUIOp::create(b, loc, last, end);
      auto inner = [&](ValueRange sums) {
        return reduceBlocks(block, sums, depth, width, first, last, sizes.drop_front());
      };
      bool sharesFactor = blockScale && blockScale->loop == loop && blockScale->size == size;
      return sharesFactor ? scaleBlock(block, now, width, inner) : inner(now);
    });
  }

  /// now + factor * (the block's own sum from 0, of terms without their factor).
  SmallVector<Value> scaleBlock(ArrayRef<Point> block, ValueRange now, int64_t width,
                                function_ref<SmallVector<Value>(ValueRange)> sumOfBlock) {
    SmallVector<Value> zeros;
    for (Value sum : now)
      zeros.push_back(arith::ConstantOp::create(b, loc, b.getZeroAttr(sum.getType())));
    isUnscaled = true;
    SmallVector<Value> sums = sumOfBlock(zeros);
    isUnscaled = false;
    loaded.clear();
    dimIndices.clear();
    for (auto [number, point] : llvm::enumerate(block)) {
      IRMapping mapping;
      mapping.map(op.getMatchingBlockArgument(blockScale->operand), loadInput(*blockScale->operand, point, width));
      for (Operation *inner : blockScale->factorOps)
        cloneElementwise(*inner, mapping, width);
      Value factor = mapping.lookupOrDefault(blockScale->factor);
      if (isa<VectorType>(sums[number].getType()))
        factor = spread(factor, width);
      sums[number] = math::FmaOp::create(b, loc, sums[number], factor, now[number]);
    }
    loaded.clear();
    dimIndices.clear();
    return sums;
  }

  SmallVector<Value> unroll(unsigned loop, Value first, int64_t size, ValueRange carried,
                            function_ref<SmallVector<Value>(ValueRange)> body) {
    SmallVector<Value> now(carried);
    for (int64_t offset = 0; offset < size; ++offset) {
      ivs[loop] = offset == 0 ? first : arith::AddIOp::create(b, loc, first, index(offset)).getResult();
      positions.enterRemainder(loop, size, offset);
      now = body(now);
    }
    positions.leaveRemainder(loop, size);
    return now;
  }

  SmallVector<Value> carryLoop(unsigned loop, Value begin, Value end, int64_t step, ValueRange carried,
                               function_ref<SmallVector<Value>(ValueRange)> body) {
    auto forOp = scf::ForOp::create(b, loc, begin, end, index(step), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    ivs[loop] = forOp.getInductionVar();
    scf::YieldOp::create(b, loc, body(forOp.getRegionIterArgs()));
    return SmallVector<Value>(forOp.getResults());
  }

  /// Lanes are partial results: whole vectors first, then the tree over lanes, then what is left one by one.
  SmallVector<Value> reduceLanes(ArrayRef<Point> block, SmallVector<Value> accumulators) {
    Value end = roundDown(index(0), sizes[plan.loop], kLanes);
    SmallVector<Value> partial;
    for (unsigned i = 0; i < accumulators.size(); ++i)
      partial.push_back(neutral(i % op.getNumDpsInits()));
    partial = carryLoop(plan.loop, index(0), end, kLanes, partial,
                        [&](ValueRange now) { return evaluateAll(block, SmallVector<Value>(now), kLanes); });
    for (unsigned i = 0; i < accumulators.size(); ++i)
      accumulators[i] = combine(i % op.getNumDpsInits(), accumulators[i], foldLanes(i % op.getNumDpsInits(), partial[i]));
    bool isEven = staticSizes[plan.loop] != ShapedType::kDynamic && staticSizes[plan.loop] % kLanes == 0;
    if (isEven)
      return accumulators;
    return carryLoop(plan.loop, end, sizes[plan.loop], 1, accumulators,
                     [&](ValueRange now) { return evaluateAll(block, SmallVector<Value>(now), 1); });
  }

  Value neutral(unsigned output) {
    Operation *combiner = combinerOf(op, output);
    Type element = getElementTypeOrSelf(combiner->getResult(0).getType());
    TypedAttr value = isa<math::FmaOp>(combiner) ? b.getFloatAttr(element, 0) : *arith::getNeutralElement(combiner);
    auto type = VectorType::get({kLanes}, element);
    return arith::ConstantOp::create(b, loc, type, DenseElementsAttr::get(type, value));
  }

  Value combine(unsigned output, Value a, Value c) {
    Operation *combiner = combinerOf(op, output);
    if (isa<math::FmaOp>(combiner))
      return arith::AddFOp::create(b, loc, a, c);
    OperationState state(loc, combiner->getName(), {a, c}, {a.getType()}, combiner->getAttrs());
    state.propertiesAttr = combiner->getPropertiesAsAttribute();
    return b.create(state)->getResult(0);
  }

  Value foldLanes(unsigned output, Value vector) {
    for (int64_t half = kLanes / 2; half >= 1; half /= 2) {
      Value low = vector::ExtractStridedSliceOp::create(b, loc, vector, {0}, {half}, {1});
      Value high = vector::ExtractStridedSliceOp::create(b, loc, vector, {half}, {half}, {1});
      vector = combine(output, low, high);
    }
    return vector::ExtractOp::create(b, loc, vector, ArrayRef<int64_t>{0});
  }

  SmallVector<Value> evaluateAll(ArrayRef<Point> block, ArrayRef<Value> accumulators, int64_t width) {
    loaded.clear();
    dimIndices.clear();
    SmallVector<Value> results;
    unsigned numOutputs = op.getNumDpsInits();
    for (auto [number, point] : llvm::enumerate(block))
      results.append(evaluate(point, accumulators.slice(number * numOutputs, numOutputs), width));
    loaded.clear();
    dimIndices.clear();
    return results;
  }

  Value dimIndex(unsigned loop, const Point &point) {
    if (point[loop] == 0)
      return ivs[loop];
    Value &cached = dimIndices[{loop, point[loop]}];
    if (!cached)
      cached = arith::AddIOp::create(b, loc, ivs[loop], index(point[loop]));
    return cached;
  }

  SmallVector<Value> indicesOf(AffineMap map, const Point &point) {
    SmallVector<Value> indices;
    for (AffineExpr expr : map.getResults())
      indices.push_back(positionOf(expr, point));
    return indices;
  }

  Value positionOf(AffineExpr expr, const Point &point) {
    return positions.evaluate(b, loc, expr, [&](unsigned loop) { return dimIndex(loop, point); });
  }

  bool variesOverLanes(OpOperand &operand, int64_t width) {
    return width > 1 && kimi::passes::variesOverLanes(op.getMatchingIndexingMap(&operand), plan.loop);
  }

  Value load(OpOperand &operand, const Point &point, int64_t width) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      return operand.get();
    SmallVector<Value> indices = indicesOf(op.getMatchingIndexingMap(&operand), point);
    if (variesOverLanes(operand, width))
      return vector::LoadOp::create(b, loc, VectorType::get({width}, type.getElementType()), operand.get(), indices);
    return memref::LoadOp::create(b, loc, operand.get(), indices);
  }

  /// Inputs that points of one block share are loaded once.
  Value loadInput(OpOperand &operand, const Point &point, int64_t width) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    Point used(numLoops, 0);
    for (unsigned loop = 0; loop < numLoops; ++loop)
      used[loop] = map.isFunctionOfDim(loop) ? point[loop] : 0;
    Value &cached = loaded[{operand.getOperandNumber(), std::vector<int64_t>(used.begin(), used.end())}];
    if (!cached)
      cached = load(operand, point, width);
    return cached;
  }

  void store(Value value, OpOperand &init, const Point &point, int64_t width) {
    dimIndices.clear();
    SmallVector<Value> indices = indicesOf(op.getMatchingIndexingMap(&init), point);
    if (variesOverLanes(init, width))
      vector::StoreOp::create(b, loc, spread(value, width), init.get(), indices);
    else
      memref::StoreOp::create(b, loc, value, init.get(), indices);
  }

  Value spread(Value value, int64_t width) {
    if (isa<VectorType>(value.getType()) || width == 1)
      return value;
    return vector::BroadcastOp::create(b, loc, VectorType::get({width}, value.getType()), value);
  }

  SmallVector<Value> evaluate(const Point &point, ArrayRef<Value> accumulators, int64_t width) {
    IRMapping mapping;
    for (OpOperand *input : op.getDpsInputOperands())
      if (BlockArgument argument = op.getMatchingBlockArgument(input); !argument.use_empty() && !isLeftOut(input))
        mapping.map(argument, loadInput(*input, point, width));
    for (auto [argument, value] : llvm::zip(op.getRegionOutputArgs(), accumulators))
      if (value)
        mapping.map(argument, value);
    for (Operation &inner : op.getBody()->without_terminator())
      if (!isUnscaled || !blockScale->makesFactor(&inner))
        evaluateOp(inner, point, mapping, width);
    SmallVector<Value> results;
    for (auto [number, value] : llvm::enumerate(op.getBody()->getTerminator()->getOperands())) {
      Value result = mapping.lookupOrDefault(value);
      results.push_back(accumulators[number] && isa<VectorType>(accumulators[number].getType()) ? spread(result, width)
                                                                                                 : result);
    }
    return results;
  }

  bool isLeftOut(OpOperand *input) { return isUnscaled && input == blockScale->operand; }

  void evaluateOp(Operation &inner, const Point &point, IRMapping &mapping, int64_t width) {
    if (isUnscaled && &inner == blockScale->product)
      return mapping.map(inner.getResult(0), mapping.lookupOrDefault(blockScale->unscaled));
    if (auto indexOp = dyn_cast<linalg::IndexOp>(inner)) {
      Value scalar = dimIndex(indexOp.getDim(), point);
      if (width > 1 && indexOp.getDim() == plan.loop) {
        auto type = VectorType::get({width}, b.getIndexType());
        scalar = arith::AddIOp::create(b, loc, spread(scalar, width), vector::StepOp::create(b, loc, type));
      }
      mapping.map(indexOp.getResult(), scalar);
      return;
    }
    if (auto apply = dyn_cast<affine::AffineApplyOp>(inner))
      if (std::optional<AffineExpr> expr = exprOverLoops(apply)) {
        mapping.map(apply.getResult(), positionOf(*expr, point));
        return;
      }
    if (auto loadOp = dyn_cast<memref::LoadOp>(inner); loadOp && width > 1 && !loadOp.getIndices().empty() &&
                                                       isLoopIndex(loadOp.getIndices().back(), plan.loop)) {
      SmallVector<Value> indices;
      for (Value index : loadOp.getIndices().drop_back())
        indices.push_back(mapping.lookupOrDefault(index));
      indices.push_back(dimIndex(plan.loop, point));
      auto type = VectorType::get({width}, loadOp.getType());
      mapping.map(loadOp.getResult(), vector::LoadOp::create(b, loc, type, loadOp.getMemref(), indices));
      return;
    }
    cloneElementwise(inner, mapping, width);
  }

  /// Clones an operation; if any operand is a vector, all become vectors, and so do the results.
  void cloneElementwise(Operation &inner, IRMapping &mapping, int64_t width) {
    SmallVector<Value> operands;
    bool isVector = false;
    for (Value operand : inner.getOperands()) {
      operands.push_back(mapping.lookupOrDefault(operand));
      isVector |= isa<VectorType>(operands.back().getType());
    }
    if (!isVector) {
      b.clone(inner, mapping);
      return;
    }
    for (Value &operand : operands)
      operand = spread(operand, width);
    SmallVector<Type> types;
    for (Type type : inner.getResultTypes())
      types.push_back(VectorType::get({width}, type));
    OperationState state(loc, inner.getName(), operands, types, inner.getAttrs());
    state.propertiesAttr = inner.getPropertiesAsAttribute();
    mapping.map(inner.getResults(), b.create(state)->getResults());
  }

  linalg::GenericOp op;
  OpBuilder b;
  Location loc;
  LanePlan plan;
  unsigned numLoops;
  SmallVector<Value> ivs, sizes;
  SmallVector<int64_t> block, staticSizes;
  SmallVector<unsigned> parallels, reductions;
  std::optional<unsigned> rowLoop, columnLoop;
  LoopPositions positions;
  std::optional<BlockScale> blockScale;
  bool isUnscaled = false; // inside a block whose factor comes behind its sum
  std::map<std::pair<unsigned, std::vector<int64_t>>, Value> loaded;
  std::map<std::pair<unsigned, int64_t>, Value> dimIndices;
};

} // namespace

void writeLoops(linalg::GenericOp op) {
  LoopWriter(op).run();
  op.erase();
}

} // namespace kimi::passes
