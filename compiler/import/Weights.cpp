#include "compiler/import/Weights.h"

#include "compiler/import/Json.h"
#include "compiler/import/QuantisedWeights.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

namespace kimi::import_ {
namespace {

/// Collects the weights of one kind of layer: symbol "<kind>.<suffix>", source "model.layers.{layer}.<module>".
class LayerLister {
public:
  LayerLister(const ModelConfig &config, const LayerKind &kind, std::vector<WeightSpec> &weights)
      : config(config), kind(kind), weights(weights) {}

  void listAttention();
  void listMlp();
  void listExperts();

private:
  WeightSpec &add(llvm::StringRef suffix, llvm::StringRef source, Shape shape) {
    weights.push_back({.symbol = kind.name + "." + suffix.str(),
                       .source = config.prefix + "model.layers.{layer}." + source.str(),
                       .sourceShape = std::move(shape),
                       .firstLayer = kind.firstLayer,
                       .numLayers = kind.numLayers});
    return weights.back();
  }
  WeightSpec &project(llvm::StringRef suffix, llvm::StringRef source, Shape shape) {
    WeightSpec &weight = add(suffix, source, std::move(shape));
    weight.isProjection = true;
    return weight;
  }
  void addMlp(llvm::StringRef symbol, llvm::StringRef module, int64_t inner, int64_t experts = 0);

  const ModelConfig &config;
  const LayerKind &kind;
  std::vector<WeightSpec> &weights;
};

void LayerLister::listAttention() {
  const int64_t queryRows = config.heads * config.queryHead();
  add("input_layernorm", "input_layernorm.weight", {config.hidden});
  if (config.queryRank) {
    project("q_a_proj", "self_attn.q_a_proj.weight", {*config.queryRank, config.hidden});
    add("q_a_layernorm", "self_attn.q_a_layernorm.weight", {*config.queryRank});
    project("q_b_proj", "self_attn.q_b_proj.weight", {queryRows, *config.queryRank});
  } else {
    project("q_proj", "self_attn.q_proj.weight", {queryRows, config.hidden});
  }
  project("kv_a_proj_with_mqa", "self_attn.kv_a_proj_with_mqa.weight", {config.latent + config.rope, config.hidden});
  add("kv_a_layernorm", "self_attn.kv_a_layernorm.weight", {config.latent});
  const int64_t keyValue = config.nope + config.value;
  const Shape keyValueShape = {config.heads * keyValue, config.latent};
  project("kv_b_key", "self_attn.kv_b_proj.weight", keyValueShape).rows = {config.heads, keyValue, 0, config.nope};
  project("kv_b_value", "self_attn.kv_b_proj.weight", keyValueShape).rows = {config.heads, keyValue, config.nope, keyValue};
  project("o_proj", "self_attn.o_proj.weight", {config.hidden, config.heads * config.value});
  add("post_attention_layernorm", "post_attention_layernorm.weight", {config.hidden});
}

void LayerLister::addMlp(llvm::StringRef symbol, llvm::StringRef module, int64_t inner, int64_t experts) {
  for (llvm::StringRef name : {"gate_proj", "up_proj", "down_proj"}) {
    const Shape shape = name == "down_proj" ? Shape{config.hidden, inner} : Shape{inner, config.hidden};
    project((symbol + name).str(), (module + name + ".weight").str(), shape).experts = experts;
  }
}

void LayerLister::listMlp() { addMlp("", "mlp.", config.intermediate); }

void LayerLister::listExperts() {
  add("gate", "mlp.gate.weight", {config.experts, config.hidden});
  add("e_score_correction_bias", "mlp.gate.e_score_correction_bias", {config.experts}).mayBeF32 = true;
  weights.back().type = DataType::F32;
  addMlp("experts.", "mlp.experts.{expert}.", config.moeIntermediate, config.experts);
  // Several shared experts are stored, and run, as one MLP of their joint width.
  addMlp("shared_experts.", "mlp.shared_experts.", config.moeIntermediate * config.sharedExperts);
}

/// Checks one tensor; the first one of a weight that may have two types decides for the others.
llvm::Error checkTensor(WeightSpec &weight, const std::string &name, bool isFirst, const CheckpointIndex &checkpoint) {
  const TensorLocation *tensor = checkpoint.find(name);
  if (!tensor)
    return makeError("the checkpoint has no tensor " + inQuotes(name) + "; config.json asks for " +
                     dataTypeName(weight.type) + " " + printShape(weight.sourceShape));
  if (tensor->shape != weight.sourceShape)
    return makeError("tensor " + inQuotes(name) + " is " + printShape(tensor->shape) + " but config.json asks for " +
                     printShape(weight.sourceShape));
  if (isFirst && weight.mayBeF32 && (tensor->type == DataType::F32 || tensor->type == DataType::BF16))
    weight.type = tensor->type;
  if (tensor->type != weight.type)
    return makeError("tensor " + inQuotes(name) + " is " + dataTypeName(tensor->type) + " but must be " +
                     dataTypeName(weight.type) +
                     (weight.mayBeF32 && isFirst ? " or BF16"
                      : weight.mayBeF32 || (weight.isProjection && !isFirst) ? " as in the layers and experts before it"
                                                                             : ""));
  return llvm::Error::success();
}

llvm::Error checkFamily(WeightSpec &weight, const CheckpointIndex &checkpoint, llvm::StringSet<> &expected) {
  bool isFirst = true;
  return weight.forEachTensor([&](const std::string &name) -> llvm::Error {
    expected.insert(name);
    if (llvm::Error error = checkTensor(weight, name, std::exchange(isFirst, false), checkpoint))
      return error;
    if (!holdsPackedValues(weight))
      return llvm::Error::success();
    expected.insert(shapeTensorOf(name));
    return checkShapeTensor(weight, name, checkpoint);
  });
}

/// What may be in a checkpoint without being part of the text model, and how often it was.
struct PassedOver {
  size_t buffers = 0, predictLayers = 0, cutLayers = 0, vision = 0, head = 0;

  /// Counts `name` under its rule; false where none fits.
  bool count(llvm::StringRef name, const ModelConfig &config);
  bool countLayer(int64_t layer, const ModelConfig &config);
  void addNotes(std::vector<std::string> &notes) const;
};

bool PassedOver::countLayer(int64_t layer, const ModelConfig &config) {
  const int64_t all = config.layers + config.cutLayers;
  if (layer >= all)
    return layer < all + config.predictLayers && ++predictLayers;
  return layer >= config.layers && ++cutLayers;
}

bool PassedOver::count(llvm::StringRef name, const ModelConfig &config) {
  if (!name.consume_front(config.prefix)) {
    // Around a text model lie the tensors of other media; a stray text tensor would still begin like one.
    const bool isText = name.starts_with("model.") || name.starts_with("lm_head");
    return !isText && ++vision;
  }
  if (name.ends_with(".rotary_emb.inv_freq")) // K2-Instruct stores it in a wrong shape: the formula decides
    return ++buffers;
  if (config.isTied && name == "lm_head.weight")
    return ++head;
  int64_t layer;
  if (name.consume_front("model.layers.") && !name.consumeInteger(10, layer) && name.starts_with("."))
    return countLayer(layer, config);
  return false;
}

void PassedOver::addNotes(std::vector<std::string> &notes) const {
  auto note = [&](size_t count, const llvm::Twine &what) {
    if (count)
      notes.push_back(("passed over " + llvm::Twine(count) + " " + what).str());
  };
  note(buffers, "rotary_emb.inv_freq buffers: frequencies follow from config.json");
  note(predictLayers, "tensors of multi-token prediction layers: they take no part in decoding");
  note(cutLayers, "tensors of layers that --layers leaves out");
  note(vision, "tensors outside the text model (vision tower, projector): text only is supported");
  note(head, "lm_head.weight: tie_word_embeddings says that the embedding table is the head");
}

} // namespace

std::string nameOf(const WeightSpec &weight, int64_t layer, int64_t expert) {
  std::string name = weight.source;
  for (auto [hole, number] : {std::pair<llvm::StringRef, int64_t>{"{layer}", layer}, {"{expert}", expert}})
    if (const size_t at = name.find(hole); at != std::string::npos)
      name.replace(at, hole.size(), std::to_string(number));
  return name;
}

Shape WeightSpec::shape() const {
  Shape result;
  if (experts)
    result.push_back(experts);
  if (rows)
    result.append({rows->groups, rows->end - rows->begin, sourceShape[1]});
  else
    result.append(sourceShape.begin(), sourceShape.end());
  if (quantised)
    result.back() *= quantised->perElement;
  return result;
}

llvm::Error WeightSpec::forEachTensor(llvm::function_ref<llvm::Error(const std::string &name)> see) const {
  for (int64_t layer = 0; layer < std::max<int64_t>(numLayers, 1); ++layer)
    for (int64_t expert = 0; expert < std::max<int64_t>(experts, 1); ++expert)
      if (llvm::Error error = see(nameOf(*this, firstLayer + layer, expert)))
        return error;
  return llvm::Error::success();
}

std::vector<LayerKind> listLayerKinds(const ModelConfig &config) {
  std::vector<LayerKind> kinds;
  if (config.denseLayers > 0)
    kinds.push_back({"dense", 0, config.denseLayers});
  if (config.moeLayers() > 0)
    kinds.push_back({"moe", config.denseLayers, config.moeLayers()});
  return kinds;
}

std::vector<WeightSpec> listWeights(const ModelConfig &config) {
  const std::string table = config.prefix + "model.embed_tokens.weight";
  const std::string head = config.isTied ? table : config.prefix + "lm_head.weight";
  std::vector<WeightSpec> weights;
  weights.push_back({.symbol = "embed_tokens", .source = table, .sourceShape = {config.vocabulary, config.hidden}});
  for (const LayerKind &kind : listLayerKinds(config)) {
    LayerLister lister(config, kind, weights);
    lister.listAttention();
    if (kind.name == "moe")
      lister.listExperts();
    else
      lister.listMlp();
  }
  weights.push_back({.symbol = "norm", .source = config.prefix + "model.norm.weight", .sourceShape = {config.hidden}});
  weights.push_back({.symbol = "lm_head", .source = head, .sourceShape = {config.vocabulary, config.hidden}});
  return weights;
}

llvm::Error checkWeights(llvm::MutableArrayRef<WeightSpec> weights, const ModelConfig &config,
                         const CheckpointIndex &checkpoint, std::vector<std::string> &notes) {
  llvm::StringSet<> expected;
  for (WeightSpec &weight : weights)
    if (llvm::Error error = checkFamily(weight, checkpoint, expected))
      return error;
  PassedOver passedOver;
  for (llvm::StringRef name : checkpoint.getNames())
    if (!expected.contains(name) && !passedOver.count(name, config)) {
      const TensorLocation *tensor = checkpoint.find(name);
      if (llvm::Error error = checkStrayScale(name, expected, checkpoint))
        return error;
      return makeError("the checkpoint has the tensor " + inQuotes(name) + " (" + dataTypeName(tensor->type) + " " +
                       printShape(tensor->shape) + ") that a model of this config.json does not have");
    }
  passedOver.addNotes(notes);
  return llvm::Error::success();
}

} // namespace kimi::import_
