#include "tests/golden/TensorList.h"

#include "tests/golden/CounterRandom.h"
#include "tests/golden/GoldenData.h"
#include "tests/golden/QuantisedFill.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace kimi::golden {
namespace {

using boost::json::object;

/// Collects names and shapes; the numbers of a layer come from the text config.
class TensorLister {
public:
  TensorLister(const object &text, std::string prefix) : text(text), prefix(std::move(prefix)) {}

  std::vector<TensorPlan> listModel();
  void add(std::string_view name, std::vector<int64_t> shape) { tensors.push_back({prefix + std::string(name), shape}); }

private:
  int64_t number(std::string_view key) const { return text.at(key).as_int64(); }
  void addAttention(const std::string &layer);
  void addFeedForward(const std::string &block, int64_t inner);
  void addExperts(const std::string &layer);

  const object &text;
  std::string prefix;
  std::vector<TensorPlan> tensors;
};

void TensorLister::addAttention(const std::string &layer) {
  const std::string self = layer + "self_attn.";
  const int64_t hidden = number("hidden_size"), heads = number("num_attention_heads"), latent = number("kv_lora_rank");
  const int64_t nope = number("qk_nope_head_dim"), rope = number("qk_rope_head_dim"), value = number("v_head_dim");
  if (text.at("q_lora_rank").is_null()) {
    add(self + "q_proj.weight", {heads * (nope + rope), hidden});
  } else {
    const int64_t rank = number("q_lora_rank");
    add(self + "q_a_proj.weight", {rank, hidden});
    add(self + "q_a_layernorm.weight", {rank});
    add(self + "q_b_proj.weight", {heads * (nope + rope), rank});
  }
  add(self + "kv_a_proj_with_mqa.weight", {latent + rope, hidden});
  add(self + "kv_a_layernorm.weight", {latent});
  add(self + "kv_b_proj.weight", {heads * (nope + value), latent});
  add(self + "o_proj.weight", {hidden, heads * value});
  // K2-Instruct ships this buffer with a wrong shape (56 where 32 would be right); importers must ignore it.
  if (text.at("model_type").as_string() == "kimi_k2" && text.at("rms_norm_eps").as_double() < 5e-6)
    add(self + "rotary_emb.inv_freq", {rope * 7 / 8});
}

void TensorLister::addFeedForward(const std::string &block, int64_t inner) {
  const int64_t hidden = number("hidden_size");
  add(block + "gate_proj.weight", {inner, hidden});
  add(block + "up_proj.weight", {inner, hidden});
  add(block + "down_proj.weight", {hidden, inner});
}

void TensorLister::addExperts(const std::string &layer) {
  const int64_t experts = number("n_routed_experts"), inner = number("moe_intermediate_size");
  add(layer + "mlp.gate.weight", {experts, number("hidden_size")});
  add(layer + "mlp.gate.e_score_correction_bias", {experts});
  for (int64_t expert = 0; expert < experts; ++expert)
    addFeedForward(fmt::format("{}mlp.experts.{}.", layer, expert), inner);
  addFeedForward(layer + "mlp.shared_experts.", inner * number("n_shared_experts"));
}

std::vector<TensorPlan> TensorLister::listModel() {
  const int64_t hidden = number("hidden_size"), vocab = number("vocab_size");
  add("model.embed_tokens.weight", {vocab, hidden});
  for (int64_t i = 0; i < number("num_hidden_layers"); ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    add(layer + "input_layernorm.weight", {hidden});
    addAttention(layer);
    add(layer + "post_attention_layernorm.weight", {hidden});
    if (i < number("first_k_dense_replace"))
      addFeedForward(layer + "mlp.", number("intermediate_size"));
    else
      addExperts(layer);
  }
  add("model.norm.weight", {hidden});
  add("lm_head.weight", {vocab, hidden});
  return std::move(tensors);
}

/// The first rule whose suffix fits says how the tensor is filled.
Status applyRule(const boost::json::array &rules, int64_t latent, TensorPlan &tensor) {
  for (const boost::json::value &entry : rules) {
    const object &rule = entry.as_object();
    if (!tensor.name.ends_with(std::string_view(rule.at("suffix").as_string())))
      continue;
    const bool hasGain = rule.contains("gain");
    const int64_t fanIn = hasGain ? tensor.shape.back() : 1;
    tensor.scale = sumScale(rule.at(hasGain ? "gain" : "std").as_int64(), fanIn);
    tensor.tailRow = rule.contains("tailGain") ? latent : tensor.shape.front();
    tensor.tailScale = rule.contains("tailGain") ? sumScale(rule.at("tailGain").as_int64(), fanIn) : tensor.scale;
    tensor.offset = rule.contains("offset") ? static_cast<float>(rule.at("offset").as_int64()) / 1024.0f : 0.0f;
    tensor.part = rule.contains("dtype") ? StoredPart::f32 : StoredPart::bf16;
    return {};
  }
  return failure(fmt::format("no rule of families/rules.json fits the tensor {}", tensor.name));
}

bool isQuantised(std::string_view name, const QuantisedTraits &traits) {
  if (traits.kind != "fp8")
    return traits.kind == "int4" && name.find(".mlp.experts.") != std::string_view::npos;
  return (name.ends_with("_proj.weight") || name.ends_with("_proj_with_mqa.weight")) &&
         std::ranges::none_of(traits.kept, [&](const std::string &suffix) { return name.ends_with(suffix); });
}

/// The stored tensors of one weight, in their order.
void addParts(TensorPlan tensor, const QuantisedTraits &traits, std::vector<TensorPlan> &stored) {
  if (!isQuantised(tensor.name, traits))
    return stored.push_back(std::move(tensor));
  using enum StoredPart;
  const std::vector<StoredPart> parts = traits.kind == "fp8" ? std::vector{fp8Codes, fp8Scales}
                                                             : std::vector{int4Codes, int4Scales, int4Shape};
  for (StoredPart part : parts) {
    tensor.part = part;
    stored.push_back(tensor);
  }
}

int64_t ceilDiv(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

} // namespace

int64_t TensorPlan::numElements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::string TensorPlan::storedName() const {
  switch (part) {
  case StoredPart::fp8Scales:
    return name + "_scale_inv";
  case StoredPart::int4Codes:
    return name + "_packed";
  case StoredPart::int4Scales:
    return name + "_scale";
  case StoredPart::int4Shape:
    return name + "_shape";
  default:
    return name;
  }
}

std::string_view TensorPlan::storedType() const {
  switch (part) {
  case StoredPart::bf16:
  case StoredPart::int4Scales:
    return "BF16";
  case StoredPart::fp8Codes:
    return "F8_E4M3";
  case StoredPart::f32:
  case StoredPart::fp8Scales:
    return "F32";
  default:
    return "I32";
  }
}

std::vector<int64_t> TensorPlan::storedShape() const {
  switch (part) {
  case StoredPart::fp8Scales:
    return {ceilDiv(shape[0], kFloat8Block), ceilDiv(shape[1], kFloat8Block)};
  case StoredPart::int4Codes:
    return {shape[0], shape[1] / 8};
  case StoredPart::int4Scales:
    return {shape[0], shape[1] / kInt4Group};
  case StoredPart::int4Shape:
    return {2};
  default:
    return shape;
  }
}

int64_t TensorPlan::sizeBytes() const {
  const std::vector<int64_t> stored = storedShape();
  const int64_t count = std::accumulate(stored.begin(), stored.end(), int64_t{1}, std::multiplies<>());
  const std::string_view type = storedType();
  return count * (type == "F8_E4M3" ? 1 : type == "BF16" ? 2 : 4);
}

Expected<std::vector<TensorPlan>> listTensors(const object &config, const QuantisedTraits &traits) {
  const bool isNested = config.contains("text_config");
  const object &text = isNested ? config.at("text_config").as_object() : config;
  std::vector<TensorPlan> tensors = TensorLister(text, isNested ? "language_model." : "").listModel();
  if (isNested) {
    // What a text importer must pass over.
    const object &vision = config.at("vision_config").as_object();
    const int64_t width = vision.at("vt_hidden_size").as_int64(), patch = vision.at("patch_size").as_int64();
    tensors.push_back({"mm_projector.proj.0.weight", {text.at("hidden_size").as_int64(), width}});
    tensors.push_back({"vision_tower.patch_embed.proj.weight", {width, 3, patch, patch}});
  }
  TRY_ASSIGN(const std::string_view rulesText, goldenData("rules.json"));
  const boost::json::value rules = boost::json::parse(rulesText);
  std::vector<TensorPlan> stored;
  for (TensorPlan &tensor : tensors) {
    TRY(applyRule(rules.as_array(), text.at("kv_lora_rank").as_int64(), tensor));
    addParts(std::move(tensor), traits, stored);
  }
  return stored;
}

} // namespace kimi::golden
