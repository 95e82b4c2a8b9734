#include "passes/codegen/ThreadLoops.h"

#include "passes/codegen/LanePlan.h"
#include "passes/codegen/LoopPositions.h"
#include "passes/codegen/VectorLoads.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

#include <map>

using namespace mlir;

namespace kimi::passes {

namespace {

// Rows whose sums one warp or thread keeps at once: what they share (a weight) is loaded once.
constexpr int64_t kRows = 8;

/// Who runs one sum.
enum class SumBy { Thread, Warp, Block };

class ThreadLoopWriter {
public:
  ThreadLoopWriter(linalg::GenericOp op, const ThreadIds &ids)
      : op(op), ids(ids), b(op), loc(op.getLoc()), numLoops(op.getNumLoops()), ivs(numLoops),
        staticSizes(op.getStaticLoopRanges()), positions(op) {}

  void run() {
    for (Range range : cast<linalg::LinalgOp>(op.getOperation()).createLoopRanges(b, loc))
      sizes.push_back(getValueOrCreateConstantIndexOp(b, loc, range.size));
    for (auto [loop, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
      (iterator == utils::IteratorType::reduction ? reductions : parallels).push_back(loop);
    if (reductions.empty())
      return shareElements(ids.thread, kBlockThreads, [&] { writeOutputs(SumBy::Thread); });
    switch (chooseSum()) {
    case SumBy::Block:
      return shareElements(index(0), 1, [&] { writeOutputs(SumBy::Block); });
    case SumBy::Warp:
      rowLoop = chooseRowLoop();
      return shareElements(ids.warp, kWarps, [&] { writeOutputs(SumBy::Warp); });
    case SumBy::Thread:
      rowLoop = chooseRowLoop();
      return shareElements(ids.thread, kBlockThreads, [&] { writeOutputs(SumBy::Thread); });
    }
  }

private:
  using Rows = SmallVector<Value>; // one value per row of the running block and output
  using Body = llvm::function_ref<void()>;

  //===- what is shared how ------------------------------------------------------------------------------------===//

  SumBy chooseSum() {
    bool canSplit = true;
    for (unsigned output = 0; output < op.getNumDpsInits(); ++output)
      canSplit &= combinerOf(op, output) != nullptr;
    int64_t length = staticSizes[reductions.back()];
    bool isShort = length != ShapedType::kDynamic && length < kWarpThreads;
    if (!canSplit || isShort || !isContiguousAlongSum())
      return SumBy::Thread;
    return hasOneOutput() ? SumBy::Block : SumBy::Warp;
  }

  /// Whether every operand that varies along the last reduction loop has it last.
  bool isContiguousAlongSum() {
    unsigned loop = reductions.back();
    for (OpOperand *input : op.getDpsInputOperands()) {
      ArrayRef<AffineExpr> indices = op.getMatchingIndexingMap(input).getResults();
      for (AffineExpr expr : indices.empty() ? indices : indices.drop_back())
        if (expr.isFunctionOfDim(loop))
          return false;
    }
    return true;
  }

  bool hasOneOutput() {
    for (unsigned loop : parallels) {
      auto bound = ValueBoundsConstraintSet::computeConstantBound(presburger::BoundType::UB, sizes[loop], nullptr,
                                                                  /*closedUB=*/true);
      if (failed(bound) || *bound != 1)
        return false;
    }
    return true;
  }

  /// The parallel loop that the largest operand does not depend on: its rows share what is loaded.
  std::optional<unsigned> chooseRowLoop() {
    std::optional<unsigned> best;
    for (unsigned loop : parallels) {
      bool isShared = llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
        AffineMap map = op.getMatchingIndexingMap(input);
        return !map.isFunctionOfDim(loop) && map.isFunctionOfDim(reductions.back());
      });
      if (isShared && staticSizes[loop] != 1 && !best)
        best = loop;
    }
    return best;
  }

  //===- loops --------------------------------------------------------------------------------------------------===//

  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  // Folded while they are built: constants decide which loops there are.
  Value times(Value left, Value right) { return b.createOrFold<arith::MulIOp>(loc, left, right); }
  Value plus(Value left, Value right) { return b.createOrFold<arith::AddIOp>(loc, left, right); }
  Value quotient(Value left, int64_t right) { return b.createOrFold<arith::DivUIOp>(loc, left, index(right)); }

  void writeFor(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body) {
    auto loop = scf::ForOp::create(b, loc, begin, end, index(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    body(loop.getInductionVar());
  }

  /// Runs `body` for every element of the parallel loops; worker `first` of `workers` takes every so many.
  void shareElements(Value first, int64_t workers, Body body) {
    if (!rowLoop)
      return shareRows(first, workers, index(0), sizes, 1, body);
    Value begin = index(0), size = sizes[*rowLoop];
    for (int64_t step = kRows; step >= 1; step /= 2) {
      if (auto rest = remaining(begin, size); rest && *rest < step)
        continue;
      SmallVector<Value> counts(sizes);
      counts[*rowLoop] = quotient(b.createOrFold<arith::SubIOp>(loc, size, begin), step);
      shareRows(first, workers, begin, counts, step, body);
      begin = plus(begin, times(counts[*rowLoop], index(step)));
    }
  }

  std::optional<int64_t> remaining(Value begin, Value size) {
    auto from = getConstantIntValue(begin), to = getConstantIntValue(size);
    return from && to ? std::optional<int64_t>(*to - *from) : std::nullopt;
  }

  /// As shareElements, over `counts` where the row loop counts blocks of `rows` rows from `begin` on.
  void shareRows(Value first, int64_t workers, Value begin, ArrayRef<Value> counts, int64_t rows, Body body) {
    numRows = rows;
    Value total = index(1);
    for (unsigned loop : parallels)
      total = times(total, counts[loop]);
    writeFor(first, total, workers, [&](Value element) {
      for (unsigned loop : llvm::reverse(parallels)) { // row-major: the last dimension runs fastest
        bool isFirst = loop == parallels.front();
        ivs[loop] = isFirst ? element : arith::RemUIOp::create(b, loc, element, counts[loop]).getResult();
        if (!isFirst)
          element = arith::DivUIOp::create(b, loc, element, counts[loop]);
        if (rowLoop == loop)
          ivs[loop] = plus(begin, times(ivs[loop], index(rows)));
      }
      body();
    });
  }

  //===- sums ---------------------------------------------------------------------------------------------------===//

  /// Computes and stores the outputs at the running indices, for every row of the block.
  void writeOutputs(SumBy by) {
    Rows sums;
    for (int64_t row = 0; row < numRows; ++row)
      for (OpOperand &init : op.getDpsInitsMutable())
        sums.push_back(by == SumBy::Thread ? readInit(init, row) : neutral(numberOf(init)));
    sums = reduce(sums, 0, by);
    if (by == SumBy::Warp)
      foldWarp(sums);
    if (by == SumBy::Block)
      foldBlock(sums);
    auto storeAll = [&](bool combinesInit) {
      unsigned next = 0;
      for (int64_t row = 0; row < numRows; ++row)
        for (OpOperand &init : op.getDpsInitsMutable()) {
          Value sum = sums[next++];
          store(combinesInit ? combine(numberOf(init), load(init, row), sum) : sum, init, row);
        }
    };
    if (by == SumBy::Thread)
      return storeAll(false);
    Value writer = by == SumBy::Warp ? ids.lane : ids.thread;
    Value isWriter = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, writer, index(0));
    auto ifOp = scf::IfOp::create(b, loc, isWriter, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(ifOp.thenBlock()->getTerminator());
    storeAll(true);
  }

  unsigned numberOf(OpOperand &init) { return init.getOperandNumber() - op.getNumDpsInputs(); }

  Value readInit(OpOperand &init, int64_t row) {
    bool isRead = !reductions.empty() || !op.getRegionOutputArgs()[numberOf(init)].use_empty();
    return isRead ? load(init, row) : Value();
  }

  Rows reduce(ArrayRef<Value> sums, unsigned depth, SumBy by) {
    if (depth == reductions.size())
      return evaluateRows(sums);
    unsigned loop = reductions[depth];
    bool isSplit = depth + 1 == reductions.size() && by != SumBy::Thread;
    Value begin = !isSplit ? index(0) : by == SumBy::Warp ? ids.lane : ids.thread;
    int64_t step = !isSplit ? 1 : by == SumBy::Warp ? kWarpThreads : kBlockThreads;
    int64_t length = isSplit ? chunkOf(op, loop) : 1;
    if (length > 1)
      begin = times(begin, index(length));
    auto forOp = scf::ForOp::create(b, loc, begin, sizes[loop], index(step * length), sums);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    ivs[loop] = forOp.getInductionVar();
    Rows now(forOp.getRegionIterArgs());
    scf::YieldOp::create(b, loc, length > 1 ? reduceChunk(now, loop, length) : reduce(now, depth + 1, by));
    return Rows(forOp.getResults());
  }

  /// `length` neighbouring terms from the running index on, one after another; operands are read as vectors.
  Rows reduceChunk(Rows sums, unsigned loop, int64_t length) {
    chunk = {loop, length, 0};
    chunkLoads.clear();
    Value first = ivs[loop];
    for (; chunk.position < length; ++chunk.position) {
      ivs[loop] = chunk.position == 0 ? first : plus(first, index(chunk.position));
      for (int64_t size = 2; size <= length; size *= 2)
        positions.enterRemainder(loop, size, chunk.position % size);
      sums = evaluateRows(sums);
    }
    for (int64_t size = 2; size <= length; size *= 2)
      positions.leaveRemainder(loop, size);
    chunk.length = 1;
    return sums;
  }

  /// A butterfly over the lanes: afterwards every lane has the sum.
  void foldWarp(Rows &sums) {
    for (auto [number, sum] : llvm::enumerate(sums))
      for (int32_t distance = kWarpThreads / 2; distance >= 1; distance /= 2) {
        auto other = gpu::ShuffleOp::create(b, loc, sum, distance, kWarpThreads, gpu::ShuffleMode::XOR);
        sum = combine(number % op.getNumDpsInits(), sum, other.getShuffleResult());
      }
  }

  /// Warps leave their sums in shared memory; every thread adds them in the order of the warps.
  void foldBlock(Rows &sums) {
    foldWarp(sums);
    for (auto [number, sum] : llvm::enumerate(sums)) {
      Value scratch = memref::AllocOp::create(b, loc, MemRefType::get({kWarps}, sum.getType()));
      gpu::BarrierOp::create(b, loc); // what lay there before has been read
      memref::StoreOp::create(b, loc, sum, scratch, ids.warp);
      gpu::BarrierOp::create(b, loc);
      sum = memref::LoadOp::create(b, loc, scratch, index(0));
      for (int64_t warp = 1; warp < kWarps; ++warp)
        sum = combine(number, sum, memref::LoadOp::create(b, loc, scratch, index(warp)));
    }
  }

  Value neutral(unsigned output) {
    Operation *combiner = combinerOf(op, output);
    Type element = combiner->getResult(0).getType();
    if (isa<math::FmaOp>(combiner))
      return arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 0));
    return arith::ConstantOp::create(b, loc, *arith::getNeutralElement(combiner));
  }

  Value combine(unsigned output, Value left, Value right) {
    Operation *combiner = combinerOf(op, output);
    if (isa<math::FmaOp>(combiner))
      return arith::AddFOp::create(b, loc, left, right);
    OperationState state(loc, combiner->getName(), {left, right}, {left.getType()}, combiner->getAttrs());
    state.propertiesAttr = combiner->getPropertiesAsAttribute();
    return b.create(state)->getResult(0);
  }

  //===- one element --------------------------------------------------------------------------------------------===//

  Value indexOf(unsigned loop, int64_t row) {
    return rowLoop == loop && row > 0 ? plus(ivs[loop], index(row)) : ivs[loop];
  }

  Value positionOf(AffineExpr expr, int64_t row) {
    return positions.evaluate(b, loc, expr, [&](unsigned loop) { return indexOf(loop, row); });
  }

  SmallVector<Value> indicesOf(OpOperand &operand, int64_t row) {
    SmallVector<Value> indices;
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
      indices.push_back(positionOf(expr, row));
    return indices;
  }

  Value load(OpOperand &operand, int64_t row) {
    if (!isa<MemRefType>(operand.get().getType()))
      return operand.get();
    return memref::LoadOp::create(b, loc, operand.get(), indicesOf(operand, row));
  }

  void store(Value value, OpOperand &init, int64_t row) {
    memref::StoreOp::create(b, loc, value, init.get(), indicesOf(init, row));
  }

  Rows evaluateRows(ArrayRef<Value> sums) {
    shared.clear();
    Rows results;
    unsigned numOutputs = op.getNumDpsInits();
    for (int64_t row = 0; row < numRows; ++row)
      results.append(evaluate(sums.slice(row * numOutputs, numOutputs), row));
    return results;
  }

  Value loadInput(OpOperand &operand, int64_t row) {
    return chunk.length > 1 ? loadFromChunk(operand, row) : loadForRows(operand, row);
  }

  /// Loaded once for the chunk: as a vector, or what is the same for all of it.
  Value loadFromChunk(OpOperand &operand, int64_t row) {
    AlongLoop along = alongLoop(op, operand, chunk.loop, chunk.length);
    if (along.kind == AlongLoop::Each)
      return loadForRows(operand, row);
    bool ofRow = rowLoop && op.getMatchingIndexingMap(&operand).isFunctionOfDim(*rowLoop);
    Value &known = chunkLoads[{operand.getOperandNumber(), ofRow ? row : 0}];
    if (!known && along.kind == AlongLoop::Same)
      known = load(operand, row);
    if (!known) {
      auto element = cast<MemRefType>(operand.get().getType()).getElementType();
      auto type = VectorType::get({chunk.length / along.divisor}, element);
      known = vector::LoadOp::create(b, loc, type, operand.get(), indicesOf(operand, row));
    }
    if (along.kind == AlongLoop::Same)
      return known;
    return vector::ExtractOp::create(b, loc, known, ArrayRef<int64_t>{chunk.position / along.divisor});
  }

  /// What does not depend on the row is loaded once for all rows.
  Value loadForRows(OpOperand &operand, int64_t row) {
    bool ofRow = rowLoop && op.getMatchingIndexingMap(&operand).isFunctionOfDim(*rowLoop);
    if (ofRow)
      return load(operand, row);
    Value &known = shared[operand.getOperandNumber()];
    if (!known)
      known = load(operand, 0);
    return known;
  }

  Rows evaluate(ArrayRef<Value> sums, int64_t row) {
    IRMapping mapping;
    for (OpOperand *input : op.getDpsInputOperands())
      if (BlockArgument argument = op.getMatchingBlockArgument(input); !argument.use_empty())
        mapping.map(argument, loadInput(*input, row));
    for (auto [argument, value] : llvm::zip(op.getRegionOutputArgs(), sums))
      if (value)
        mapping.map(argument, value);
    for (Operation &inner : op.getBody()->without_terminator()) {
      auto apply = dyn_cast<affine::AffineApplyOp>(inner);
      std::optional<AffineExpr> expr = apply ? exprOverLoops(apply) : std::nullopt;
      if (auto indexOp = dyn_cast<linalg::IndexOp>(inner))
        mapping.map(indexOp.getResult(), indexOf(indexOp.getDim(), row));
      else if (expr)
        mapping.map(apply.getResult(), positionOf(*expr, row));
      else
        b.clone(inner, mapping);
    }
    Rows results;
    for (Value value : op.getBody()->getTerminator()->getOperands())
      results.push_back(mapping.lookupOrDefault(value));
    return results;
  }

  linalg::GenericOp op;
  const ThreadIds &ids;
  OpBuilder b;
  Location loc;
  unsigned numLoops;
  SmallVector<Value> ivs, sizes;
  SmallVector<int64_t> staticSizes;
  SmallVector<unsigned> parallels, reductions;
  std::optional<unsigned> rowLoop;
  int64_t numRows = 1; // of the running block
  LoopPositions positions;
  std::map<unsigned, Value> shared; // operand → what all rows share
  struct {
    unsigned loop;
    int64_t length, position;
  } chunk = {0, 1, 0}; // of the running sum; length 1: none
  std::map<std::pair<unsigned, int64_t>, Value> chunkLoads; // operand, row → vector, or the chunk's element
};

} // namespace

void writeThreadLoops(linalg::GenericOp op, const ThreadIds &ids) {
  ThreadLoopWriter(op, ids).run();
  op.erase();
}

} // namespace kimi::passes
