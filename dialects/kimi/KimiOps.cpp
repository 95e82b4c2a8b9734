// Verifiers and small methods. Each check names the constraint of KimiOps.td it keeps.
#include "dialects/kimi/Kimi.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace kimi::model;

#include "dialects/kimi/KimiInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/kimi/KimiOps.cpp.inc"

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The op's operand or result `value` must have `rank` dimensions.
static LogicalResult verifyRank(Operation *op, StringRef name, Value value, int64_t rank) {
  if (typeOf(value).getRank() == rank)
    return success();
  return op->emitOpError() << name << " is " << value.getType() << " but needs rank " << rank;
}

static LogicalResult agree(Operation *op, StringRef first, int64_t a, StringRef second, int64_t b) {
  if (a == b)
    return success();
  return op->emitOpError() << first << " is " << a << " but " << second << " is " << b;
}

static LogicalResult verifySameShape(Operation *op, StringRef first, Value a, StringRef second, Value b) {
  if (typeOf(a).getShape() == typeOf(b).getShape())
    return success();
  return op->emitOpError() << first << " is " << a.getType() << " but " << second << " is " << b.getType()
                           << ": their shapes must agree";
}

static LogicalResult verifyF32(Operation *op, Value value) {
  if (typeOf(value).getElementType().isF32())
    return success();
  return op->emitOpError() << "returns " << value.getType() << " but computes in f32: round it with kimi.round";
}

/// Ranks of several values at once: {name, value, rank}.
struct RankRule {
  StringRef name;
  Value value;
  int64_t rank;
};
static LogicalResult verifyRanks(Operation *op, ArrayRef<RankRule> rules) {
  for (const RankRule &rule : rules)
    if (failed(verifyRank(op, rule.name, rule.value, rule.rank)))
      return failure();
  return success();
}

static int64_t last(Value value) { return typeOf(value).getShape().back(); }
static int64_t dim(Value value, int64_t index) { return typeOf(value).getDimSize(index); }

//===- module level ------------------------------------------------------------------------------------------===//

static bool isCode(Type type) { return isa<Float8E4M3FNType>(type) || type.isInteger(4); }

/// C5 of a weight.
static LogicalResult verifyQuantised(WeightOp weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  const bool holdsCodes = weight.getQuantised() && weight.getQuantised()->getPart() == QuantisedPart::codes;
  if (holdsCodes != isCode(type.getElementType()))
    return weight.emitOpError() << "'" << weight.getSymName() << "' is " << type
                                << (holdsCodes ? " but codes are f8E4M3FN or i4" : ", which are codes: say `quantised`");
  const bool isScale = type.getElementType().isF32() || type.getElementType().isBF16();
  if (weight.getQuantised() && !holdsCodes && !isScale)
    return weight.emitOpError() << "'" << weight.getSymName() << "' is " << type << " but scales are f32 or bf16";
  return success();
}

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (getSource().has_value() == getRope().has_value()) // C1
    return emitOpError() << "'" << getSymName() << "' needs exactly one of a checkpoint name and a rope";
  if (getSource() && getSource()->contains("{layer}") != getNumLayers().has_value()) // C2
    return emitOpError() << "'" << getSymName() << "' reads \"" << *getSource()
                         << "\": {layer} goes with `layers .. count ..` and only with it";
  if (getExperts() && static_cast<int64_t>(*getExperts()) != type.getDimSize(0)) // C3
    return emitOpError() << "'" << getSymName() << "' has " << *getExperts() << " experts but type " << type;
  if (auto rows = getRows()) { // C4
    if (type.getRank() != 3 || type.getDimSize(0) != rows->getGroups() ||
        type.getDimSize(1) != rows->getEnd() - rows->getBegin())
      return emitOpError() << "'" << getSymName() << "' takes " << rows->getGroups() << " groups of "
                           << rows->getEnd() - rows->getBegin() << " rows but has type " << type;
  }
  return verifyQuantised(*this); // C5
}

LogicalResult DequantiseOp::verify() {
  RankedTensorType codes = typeOf(getCodes()), scales = typeOf(getScales());
  if (failed(verifySameShape(*this, "codes", getCodes(), "result", getResult())) || // C1
      failed(verifyF32(*this, getResult())))
    return failure();
  if (!isCode(codes.getElementType())) // C3
    return emitOpError() << "codes are " << codes << " but must be f8E4M3FN or i4";
  if (codes.getRank() < 2 || getBlockRows() < 1 || getBlockColumns() < 1) // C2
    return emitOpError() << "has codes " << codes << " in blocks of " << getBlockRows() << " x " << getBlockColumns();
  SmallVector<int64_t> shape(codes.getShape());
  shape[shape.size() - 2] = llvm::divideCeil(shape[shape.size() - 2], getBlockRows());
  shape.back() = llvm::divideCeil(shape.back(), getBlockColumns());
  if (auto wanted = scales.clone(shape); wanted != scales) // C2
    return emitOpError() << "has codes " << codes << " in blocks of " << getBlockRows() << " x " << getBlockColumns()
                         << ": that needs scales " << wanted << ", not " << scales;
  return success();
}

LogicalResult LoadWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight || weight.getType() != getResult().getType()) // C1
    return emitOpError() << "loads " << getResult().getType() << " but '" << getWeight() << "' is "
                         << (weight ? Twine("another weight type") : Twine("no kimi.weight"));
  if (weight.getNumLayers().has_value() != static_cast<bool>(getLayer())) // C2
    return emitOpError() << "'" << getWeight() << "' " << (getLayer() ? "has no layers" : "needs a layer");
  return success();
}

LogicalResult LoadCacheOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto cache = symbols.lookupNearestSymbolFrom<CacheOp>(*this, getCacheAttr());
  if (!cache || cache.getType() != getResult().getType()) // C1
    return emitOpError() << "loads " << getResult().getType() << " but '" << getCache()
                         << "' is no kimi.cache of that type";
  return success();
}

/// The vocabulary is known from the type alone for the masked input and the logits; elsewhere it plays no part.
static LogicalResult verifyStepType(Operation *op, StringRef name, Type given, RankedTensorType wanted) {
  auto type = cast<RankedTensorType>(given);
  bool sameElement = type.getElementType() == wanted.getElementType();
  if (sameElement && type.getRank() == wanted.getRank() && type.getDimSize(0) == wanted.getDimSize(0))
    return success();
  return op->emitOpError() << name << " is " << type << " but the step table says " << wanted;
}

LogicalResult StepInputOp::verify() { // C1
  int64_t vocabulary = getInput() == StepInput::token_mask ? last(getResult()) * 32 : 32;
  return verifyStepType(*this, stringifyStepInput(getInput()), getResult().getType(),
                        stepInputType(getInput(), vocabulary, getContext()));
}

LogicalResult StepOutputOp::verify() { // C1
  return verifyStepType(*this, stringifyStepOutput(getOutput()), getValue().getType(),
                        stepOutputType(getOutput(), last(getValue()), getContext()));
}

//===- activations -------------------------------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  if (failed(verifyRanks(*this, {{"ids", getIds(), 1}, {"table", getTable(), 2}, {"result", getResult(), 2}})))
    return failure();
  Type element = typeOf(getResult()).getElementType();
  if (element != typeOf(getTable()).getElementType() && !element.isF32()) // C2
    return emitOpError() << "looks up " << getTable().getType() << " as " << getResult().getType()
                         << ": rows keep their type or become f32";
  return agree(*this, "H of table", dim(getTable(), 1), "H of result", dim(getResult(), 1)); // C1
}

LogicalResult RmsNormOp::verify() {
  if (getEps().convertToDouble() <= 0) // C2
    return emitOpError() << "eps is " << getEps().convertToDouble() << " but must be positive";
  if (failed(agree(*this, "the row of x", last(getX()), "weight", last(getWeight())))) // C1
    return failure();
  if (failed(verifySameShape(*this, "x", getX(), "result", getResult())))
    return failure();
  return verifyF32(*this, getResult());
}

LogicalResult LinearOp::verify() {
  if (failed(verifyRanks(*this, {{"x", getX(), 2}, {"weight", getWeight(), 2}, {"result", getResult(), 2}})))
    return failure();
  if (failed(agree(*this, "K of x", dim(getX(), 1), "K of weight", dim(getWeight(), 1)))) // C1
    return failure();
  if (failed(agree(*this, "N of weight", dim(getWeight(), 0), "N of result", dim(getResult(), 1)))) // C2
    return failure();
  return verifyF32(*this, getResult());
}

LogicalResult RoundOp::verify() {
  if (failed(verifySameShape(*this, "x", getX(), "result", getResult()))) // C1
    return failure();
  unsigned from = typeOf(getX()).getElementTypeBitWidth(), to = typeOf(getResult()).getElementTypeBitWidth();
  if (to >= from) // C2
    return emitOpError() << "rounds " << from << " bits to " << to << ": the result must be narrower";
  return success();
}

LogicalResult AddOp::verify() { // C1
  if (failed(verifySameShape(*this, "lhs", getLhs(), "rhs", getRhs())) ||
      failed(verifySameShape(*this, "lhs", getLhs(), "result", getResult())))
    return failure();
  return verifyF32(*this, getResult());
}

LogicalResult SwigluOp::verify() { // C1
  if (failed(verifySameShape(*this, "gate", getGate(), "up", getUp())) ||
      failed(verifySameShape(*this, "gate", getGate(), "result", getResult())))
    return failure();
  return verifyF32(*this, getResult());
}

LogicalResult GatherRowsOp::verify() {
  if (failed(verifyRanks(*this, {{"x", getX(), 2}, {"rows", getRows(), 1}, {"result", getResult(), 2}})))
    return failure();
  if (typeOf(getX()).getElementType() != typeOf(getResult()).getElementType()) // C1
    return emitOpError() << "gathers " << getX().getType() << " into " << getResult().getType();
  return agree(*this, "H of x", dim(getX(), 1), "H of result", dim(getResult(), 1)); // C1
}

//===- latent attention --------------------------------------------------------------------------------------===//

LogicalResult RopeOp::verify() {
  if (failed(verifyRank(*this, "table", getTable(), 3)))
    return failure();
  if (failed(agree(*this, "the pairs of x", last(getX()) / 2, "the pairs of table", dim(getTable(), 2)))) // C1
    return failure();
  return verifySameShape(*this, "x", getX(), "result", getResult()); // C2
}

LogicalResult CacheWriteOp::verify() {
  CacheType cache = getCache().getType();
  if (failed(agree(*this, "the cache row", cache.getValues(), "latent + rope",
                   dim(getLatent(), 1) + dim(getRope(), 1)))) // C1
    return failure();
  for (Value part : {getLatent(), getRope()})
    if (typeOf(part).getElementType() != cache.getElementType()) // C2
      return emitOpError() << "writes " << part.getType() << " into a cache of " << cache.getElementType()
                           << ": round it with kimi.round";
  return success();
}

LogicalResult LatentAttentionOp::verify() {
  if (failed(verifyRanks(*this, {{"query", getQuery(), 3}, {"query_rope", getQueryRope(), 3},
                                 {"key_weight", getKeyWeight(), 3}, {"value_weight", getValueWeight(), 3},
                                 {"result", getResult(), 3}})))
    return failure();
  if (failed(agree(*this, "the cache row", getCache().getType().getValues(), "latent + rope",
                   dim(getKeyWeight(), 2) + dim(getQueryRope(), 2)))) // C1
    return failure();
  if (failed(agree(*this, "heads of query", dim(getQuery(), 1), "heads of key_weight", dim(getKeyWeight(), 0))) ||
      failed(agree(*this, "the query's size", dim(getQuery(), 2), "the key's size", dim(getKeyWeight(), 1)))) // C2
    return failure();
  return agree(*this, "the value's size", dim(getValueWeight(), 1), "the result's", dim(getResult(), 2)); // C3
}

LogicalResult AbsorbQueryOp::verify() {
  if (failed(verifyRanks(*this, {{"query", getQuery(), 3}, {"key_weight", getKeyWeight(), 3},
                                 {"result", getResult(), 3}})))
    return failure();
  if (failed(agree(*this, "heads of query", dim(getQuery(), 1), "heads of key_weight", dim(getKeyWeight(), 0))) ||
      failed(agree(*this, "D of query", dim(getQuery(), 2), "D of key_weight", dim(getKeyWeight(), 1)))) // C1
    return failure();
  return agree(*this, "L of key_weight", dim(getKeyWeight(), 2), "L of result", dim(getResult(), 2)); // C2
}

LogicalResult PagedAttentionOp::verify() {
  if (failed(verifyRanks(*this, {{"query", getQuery(), 3}, {"query_rope", getQueryRope(), 3}})))
    return failure();
  if (failed(agree(*this, "the cache row", getCache().getType().getValues(), "latent + rope",
                   dim(getQuery(), 2) + dim(getQueryRope(), 2)))) // C1
    return failure();
  return agree(*this, "heads of query", dim(getQuery(), 1), "heads of query_rope", dim(getQueryRope(), 1)); // C2
}

LogicalResult ExpandValueOp::verify() {
  if (failed(verifyRanks(*this, {{"latent", getLatent(), 3}, {"value_weight", getValueWeight(), 3},
                                 {"result", getResult(), 3}})))
    return failure();
  if (failed(agree(*this, "heads of latent", dim(getLatent(), 1), "heads of value_weight",
                   dim(getValueWeight(), 0))) ||
      failed(agree(*this, "L of latent", dim(getLatent(), 2), "L of value_weight", dim(getValueWeight(), 2)))) // C1
    return failure();
  return agree(*this, "V of value_weight", dim(getValueWeight(), 1), "V of result", dim(getResult(), 2)); // C2
}

//===- experts -----------------------------------------------------------------------------------------------===//

LogicalResult RouteExpertsOp::verify() {
  if (failed(verifyRanks(*this, {{"logits", getLogits(), 2}, {"bias", getBias(), 1}, {"ids", getIds(), 2},
                                 {"weights", getWeights(), 2}})))
    return failure();
  int64_t experts = dim(getLogits(), 1), k = dim(getIds(), 1);
  if (failed(agree(*this, "experts of logits", experts, "experts of bias", dim(getBias(), 0))) || // C1
      failed(agree(*this, "k of ids", k, "k of weights", dim(getWeights(), 1))))                  // C2
    return failure();
  if (k < 1 || k > experts) // C2
    return emitOpError() << "chooses " << k << " of " << experts << " experts";
  int64_t groups = getGroups(), kept = getKeptGroups();
  if (groups < 1 || experts % groups != 0 || kept < 1 || kept > groups) // C3
    return emitOpError() << "keeps " << kept << " of " << groups << " groups of " << experts
                         << " experts: groups must divide experts and hold the kept ones";
  return success();
}

SmallVector<Extents> DispatchOp::inferDims(ArrayRef<Extents> operandDims) {
  kernel::ExtentAttr tokens = operandDims[0][0];
  auto pairs = kernel::ExtentAttr::get(getContext(), tokens.getSymbol(),
                                       tokens.getMultiplier() * dim(getIds(), 1), tokens.getDivisor());
  return {{pairs}, {tokens}, {}};
}

LogicalResult DispatchOp::verify() {
  if (dim(getOffsets(), 0) < 2) // C1
    return emitOpError() << "offsets has " << dim(getOffsets(), 0) << " elements; at least 2 are needed";
  return verifySameShape(*this, "ids", getIds(), "slots", getSlots()); // C2
}

/// Operands lie x, [rows], offsets, weight; without rows, a row of the result is a row of x.
SmallVector<Extents> ExpertLinearOp::inferDims(ArrayRef<Extents> operandDims) {
  return dimsOfOperand(*this, operandDims, getRows() ? 1 : 0);
}

LogicalResult ExpertLinearOp::verify() {
  if (failed(verifyRanks(*this, {{"x", getX(), 2}, {"weight", getWeight(), 3}, {"result", getResult(), 2}})))
    return failure();
  if (failed(agree(*this, "K of x", dim(getX(), 1), "K of weight", dim(getWeight(), 2))) || // C1
      failed(agree(*this, "the size of offsets", dim(getOffsets(), 0), "experts + 1",
                   dim(getWeight(), 0) + 1))) // C2
    return failure();
  return agree(*this, "N of weight", dim(getWeight(), 1), "N of result", dim(getResult(), 1)); // C3
}

SmallVector<Extents> CombineOp::inferDims(ArrayRef<Extents> operandDims) {
  return dimsOfOperand(*this, operandDims, 1);
}

SmallVector<Extents> GatherRowsOp::inferDims(ArrayRef<Extents> operandDims) {
  return dimsOfOperand(*this, operandDims, 1);
}

LogicalResult CombineOp::verify() {
  if (failed(verifySameShape(*this, "slots", getSlots(), "weights", getWeights()))) // C1
    return failure();
  return agree(*this, "H of x", dim(getX(), 1), "H of result", dim(getResult(), 1)); // C2
}

LogicalResult SampleOp::verify() {
  if (failed(verifyRank(*this, "logits", getLogits(), 2)) || failed(verifyF32(*this, getLogits()))) // C1
    return failure();
  return agree(*this, "the number of controls", getControls().size(), "that of the step table", 18); // C2
}
