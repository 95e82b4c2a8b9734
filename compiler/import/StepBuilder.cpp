#include "compiler/import/StepBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace kimi::import_ {

using model::StepInput;
using model::StepOutput;

// kimi.sample takes the columns of the step table from here to the last.
constexpr auto kFirstControl = StepInput::temperature;
constexpr auto kLastControl = StepInput::logprob_counts;

static Value buildLayers(OpEmitter &emit, const ModelConfig &config) {
  const Value ids = emit.stepInput(StepInput::token_ids), table = emit.loadWeight("embed_tokens");
  auto type = emit.activationType(config.hidden, emit.getStorage());
  Value hidden = model::EmbeddingOp::create(emit.builder, emit.loc(), type, ids, table);
  for (const LayerKind &kind : listLayerKinds(config))
    for (int64_t layer = kind.firstLayer; layer < kind.firstLayer + kind.numLayers; ++layer)
      hidden = func::CallOp::create(emit.builder, emit.loc(), kind.name + "_layer", TypeRange{type},
                                    ValueRange{hidden, emit.constantIndex(layer)})
                   .getResult(0);
  return hidden;
}

/// Logits of the rows that are wanted, in f32: a bf16 head makes ties.
static Value buildLogits(OpEmitter &emit, const ModelConfig &config, Value hidden) {
  const Value rows = emit.stepInput(StepInput::logit_rows);
  const Value picked = model::GatherRowsOp::create(emit.builder, emit.loc(), hidden.getType(), hidden, rows);
  const Value x = emit.rmsNorm(picked, emit.loadWeight("norm"), config.eps);
  return emit.linear(x, emit.loadWeight("lm_head"));
}

static model::SampleOp buildSample(OpEmitter &emit, const ModelConfig &config, Value logits) {
  SmallVector<Value> controls;
  for (auto input = static_cast<int>(kFirstControl); input <= static_cast<int>(kLastControl); ++input)
    controls.push_back(emit.stepInput(static_cast<StepInput>(input), config.vocabulary));
  auto type = [&](StepOutput output) {
    return model::stepOutputType(output, config.vocabulary, emit.builder.getContext());
  };
  return model::SampleOp::create(emit.builder, emit.loc(), type(StepOutput::sampled_tokens),
                                 type(StepOutput::sampled_logprobs), type(StepOutput::top_tokens),
                                 type(StepOutput::top_logprobs), type(StepOutput::finite), logits, controls);
}

void buildStep(OpEmitter &emit, const ModelConfig &config) {
  auto func = func::FuncOp::create(emit.builder, emit.loc(), "step", emit.builder.getFunctionType({}, {}));
  OpBuilder::InsertionGuard guard(emit.builder);
  emit.builder.setInsertionPointToStart(func.addEntryBlock());
  const Value logits = buildLogits(emit, config, buildLayers(emit, config));
  model::SampleOp sample = buildSample(emit, config, logits);
  const std::pair<StepOutput, Value> outputs[] = {{StepOutput::logits, logits},
                                                  {StepOutput::sampled_tokens, sample.getSampled()},
                                                  {StepOutput::sampled_logprobs, sample.getLogprob()},
                                                  {StepOutput::top_tokens, sample.getTopIds()},
                                                  {StepOutput::top_logprobs, sample.getTopLogprobs()},
                                                  {StepOutput::finite, sample.getFinite()}};
  for (auto [output, value] : outputs)
    model::StepOutputOp::create(emit.builder, emit.loc(), model::StepOutputAttr::get(emit.builder.getContext(), output),
                                value);
  func::ReturnOp::create(emit.builder, emit.loc());
}

} // namespace kimi::import_
