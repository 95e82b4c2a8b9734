#include "compiler/import/LayerBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace kimi::import_ {

using model::StepInput;

// The reference builds the norms inside latent attention with its class default, whatever config.json says of the
// others. Equal in K2-Instruct, different in K2-Thinking and K2.5 (1e-5).
constexpr double kLatentNormEps = 1e-6;

void LayerBuilder::build() {
  auto hiddenType = emit.activationType(config.hidden, emit.getStorage());
  auto type = emit.builder.getFunctionType({hiddenType, emit.builder.getIndexType()}, {hiddenType});
  auto func = func::FuncOp::create(emit.builder, emit.loc(), kind.name + "_layer", type);
  func.setPrivate();
  OpBuilder::InsertionGuard guard(emit.builder);
  emit.builder.setInsertionPointToStart(func.addEntryBlock());
  layer = func.getArgument(1);

  const Value afterAttention = buildAttention(func.getArgument(0));
  const Value x = emit.rmsNorm(afterAttention, weight("post_attention_layernorm"), config.eps);
  const Value update = kind.name == "moe" ? buildExperts(x) : buildMlp(x, "");
  func::ReturnOp::create(emit.builder, emit.loc(), emit.round(emit.add(update, afterAttention)));
}

Value LayerBuilder::buildQuery(Value x) {
  if (!config.queryRank)
    return emit.round(emit.linear(x, weight("q_proj")));
  const Value down = emit.round(emit.linear(x, weight("q_a_proj")));
  const Value normed = emit.rmsNorm(down, weight("q_a_layernorm"), kLatentNormEps);
  return emit.round(emit.linear(normed, weight("q_b_proj")));
}

void LayerBuilder::buildCacheWrite(Value x, Value cache, Value positions, Value table) {
  const Value keyValue = emit.round(emit.linear(x, weight("kv_a_proj_with_mqa")));
  const Value unnormed = emit.sliceLast(keyValue, 0, config.latent);
  const Value latent = emit.rmsNorm(unnormed, weight("kv_a_layernorm"), kLatentNormEps);
  // The rotary key is shared by all heads, and not normed.
  const Value key = emit.rope(emit.sliceLast(keyValue, config.latent, config.rope), positions, table);
  const Value slots = emit.stepInput(StepInput::cache_slots);
  model::CacheWriteOp::create(emit.builder, emit.loc(), slots, cache, latent, key);
}

Value LayerBuilder::buildAttention(Value hidden) {
  const Value x = emit.rmsNorm(hidden, weight("input_layernorm"), config.eps);
  const Value positions = emit.stepInput(StepInput::positions), table = emit.loadWeight("rope_table");
  const Value query = emit.splitHeads(buildQuery(x), config.heads);
  const Value queryNope = emit.sliceLast(query, 0, config.nope);
  const Value queryRope = emit.rope(emit.sliceLast(query, config.nope, config.rope), positions, table);

  auto cacheType = model::CacheType::get(emit.builder.getContext(), config.latent + config.rope, emit.getStorage());
  const Value cache = model::LoadCacheOp::create(emit.builder, emit.loc(), cacheType, "latent", layer);
  buildCacheWrite(x, cache, positions, table);

  const Value keyWeight = weight("kv_b_key"), valueWeight = weight("kv_b_value");
  const Value sequences = emit.stepInput(StepInput::token_sequences);
  const Value offsets = emit.stepInput(StepInput::sequence_offsets), tables = emit.stepInput(StepInput::block_tables);
  auto type = RankedTensorType::get({ShapedType::kDynamic, config.heads, config.value}, emit.builder.getF32Type());
  const Value attended = model::LatentAttentionOp::create(
      emit.builder, emit.loc(), type, queryNope, queryRope, keyWeight, valueWeight, cache, positions, sequences,
      offsets, tables, emit.builder.getF64FloatAttr(config.softmaxScale()), nullptr);
  const Value joined = emit.joinHeads(emit.round(attended));
  return emit.round(emit.add(emit.linear(joined, weight("o_proj")), hidden));
}

Value LayerBuilder::buildMlp(Value x, const std::string &prefix) {
  const Value gate = emit.linear(x, weight(prefix + "gate_proj"));
  const Value up = emit.linear(x, weight(prefix + "up_proj"));
  const Value activated = emit.round(emit.swiglu(gate, up));
  return emit.linear(activated, weight(prefix + "down_proj"));
}

Value LayerBuilder::buildExperts(Value x) {
  OpBuilder &builder = emit.builder;
  const Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  const Value logits = emit.linear(x, weight("gate")); // never rounded: the router works in f32
  auto route = model::RouteExpertsOp::create(
      builder, emit.loc(), emit.activationType(config.expertsPerToken, i32),
      emit.activationType(config.expertsPerToken, f32), logits, weight("e_score_correction_bias"),
      builder.getI64IntegerAttr(config.groups), builder.getI64IntegerAttr(config.keptGroups),
      builder.getBoolAttr(config.normalise), builder.getF64FloatAttr(config.routedScaling));
  auto dispatch = model::DispatchOp::create(
      builder, emit.loc(), RankedTensorType::get({ShapedType::kDynamic}, i32), route.getIds().getType(),
      RankedTensorType::get({config.experts + 1}, i32), route.getIds());

  auto expertLinear = [&](Value input, Value rows, const char *name, int64_t columns) -> Value {
    const Value matrices = weight(std::string("experts.") + name);
    return model::ExpertLinearOp::create(builder, emit.loc(), emit.activationType(columns, f32),
                                         emit.factorFor(input, matrices), rows, dispatch.getOffsets(), matrices);
  };
  const Value gate = expertLinear(x, dispatch.getRows(), "gate_proj", config.moeIntermediate);
  const Value up = expertLinear(x, dispatch.getRows(), "up_proj", config.moeIntermediate);
  const Value down = expertLinear(emit.round(emit.swiglu(gate, up)), {}, "down_proj", config.hidden);
  const Value routed = model::CombineOp::create(builder, emit.loc(), emit.activationType(config.hidden, f32),
                                                emit.round(down), dispatch.getSlots(), route.getWeights());
  return emit.add(buildMlp(x, "shared_experts."), routed);
}

} // namespace kimi::import_
