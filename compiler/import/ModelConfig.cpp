#include "compiler/import/ModelConfig.h"

#include "compiler/import/FieldReader.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>

namespace kimi::import_ {
namespace {

// Beyond these a config is a mistake, and products of two sizes stay far below 2^63.
constexpr int64_t kMaxSize = 1 << 20;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxContext = 1 << 26;
constexpr int64_t kMaxLayers = 1 << 12;
constexpr int64_t kMaxExperts = 1 << 16;
constexpr double kHuge = 1e9;

/// mscale(factor, m) of YaRN.
double yarnMagnitude(double factor, double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1.0; }

bool isKnownRopeKey(llvm::StringRef key) {
  return llvm::StringSwitch<bool>(key)
      .Cases({"type", "rope_type", "factor", "original_max_position_embeddings", "beta_fast", "beta_slow"}, true)
      .Cases({"mscale", "mscale_all_dim", "attention_factor", "truncate", "rope_theta"}, true)
      .Default(false);
}

llvm::Error readYarn(const llvm::json::Object &object, const std::string &where, RopeConfig &rope) {
  FieldReader fields(object, where);
  const bool isOldName = fields.isAbsent("rope_type");
  fields.requireString(isOldName ? "type" : "rope_type", "yarn");
  for (const auto &[key, value] : object)
    if (!isKnownRopeKey(key))
      fields.fail("the key " + inQuotes(key) + " is not known here: it would change the rotation");
  if (!fields.boolean("truncate", true))
    fields.fail("truncate is false; only true is supported");
  rope.factor = fields.number("factor", 0.999, kHuge);
  rope.originalContext = fields.integer("original_max_position_embeddings", 1, kMaxContext);
  rope.betaFast = fields.number("beta_fast", 0, kHuge, 32);
  rope.betaSlow = fields.number("beta_slow", 0, kHuge, 1);
  const double mscale = fields.number("mscale", -kHuge, kHuge, 0);
  const double mscaleAllDim = fields.number("mscale_all_dim", -kHuge, kHuge, 0);
  // As transformers: both given and not 0, their ratio; otherwise the plain magnitude, unless the file names one.
  rope.magnitude = mscale != 0 && mscaleAllDim != 0
                       ? yarnMagnitude(rope.factor, mscale) / yarnMagnitude(rope.factor, mscaleAllDim)
                       : yarnMagnitude(rope.factor, 1);
  rope.magnitude = fields.number("attention_factor", 0, kHuge, rope.magnitude);
  if (mscaleAllDim != 0)
    rope.attentionMagnitude = yarnMagnitude(rope.factor, mscaleAllDim);
  return fields.takeError();
}

void readRope(const llvm::json::Object &object, const std::string &where, FieldReader &fields, ModelConfig &config) {
  RopeConfig &rope = config.ropeConfig;
  rope.theta = fields.number("rope_theta", 1, kHuge);
  rope.originalContext = config.context;
  if (!fields.boolean("rope_interleave", true))
    fields.fail("rope_interleave is false; only true is supported");
  if (!fields.isAbsent("rope_parameters"))
    fields.fail("rope_parameters is not supported: say rope_theta and rope_scaling instead");
  if (fields.isAbsent("rope_scaling"))
    return;
  const llvm::json::Object *scaling = object.getObject("rope_scaling");
  if (!scaling)
    return fields.fail("rope_scaling must be null or an object {..}");
  if (llvm::Error error = readYarn(*scaling, "rope_scaling", rope))
    fields.fail(llvm::toString(std::move(error)));
}

void readAttention(FieldReader &fields, ModelConfig &config) {
  config.heads = fields.integer("num_attention_heads", 1, kMaxSize);
  const int64_t keyHeads = fields.integer("num_key_value_heads", 1, kMaxSize, config.heads);
  if (keyHeads != config.heads)
    fields.fail("num_key_value_heads is " + llvm::Twine(keyHeads) + " but num_attention_heads is " +
                llvm::Twine(config.heads) + ": latent attention has as many of both");
  if (!fields.isAbsent("q_lora_rank"))
    config.queryRank = fields.integer("q_lora_rank", 1, kMaxSize);
  config.latent = fields.integer("kv_lora_rank", 1, kMaxSize);
  config.nope = fields.integer("qk_nope_head_dim", 1, kMaxSize);
  config.rope = fields.integer("qk_rope_head_dim", 2, kMaxSize);
  config.value = fields.integer("v_head_dim", 1, kMaxSize);
  if (config.rope % 2 != 0)
    fields.fail("qk_rope_head_dim is " + llvm::Twine(config.rope) + " but values rotate in pairs: it must be even");
  fields.requireFalse("attention_bias");
}

void readExperts(FieldReader &fields, ModelConfig &config) {
  if (config.moeLayers() == 0)
    return;
  config.experts = fields.integer("n_routed_experts", 1, kMaxExperts);
  config.sharedExperts = fields.integer("n_shared_experts", 1, 1 << 10);
  config.expertsPerToken = fields.integer("num_experts_per_tok", 1, kMaxExperts);
  config.moeIntermediate = fields.integer("moe_intermediate_size", 1, kMaxSize);
  config.groups = fields.integer("n_group", 1, kMaxExperts);
  config.keptGroups = fields.integer("topk_group", 1, kMaxExperts);
  config.normalise = fields.boolean("norm_topk_prob");
  config.routedScaling = fields.number("routed_scaling_factor", 0, kHuge);
  fields.integer("moe_layer_freq", 1, 1, 1);
  fields.requireString("scoring_func", "sigmoid");
  fields.requireString("topk_method", "noaux_tc");
  if (config.experts % config.groups != 0 || config.keptGroups > config.groups)
    return fields.fail("keeps topk_group " + llvm::Twine(config.keptGroups) + " of n_group " +
                       llvm::Twine(config.groups) + " groups of n_routed_experts " + llvm::Twine(config.experts) +
                       ": groups must divide experts and hold the kept ones");
  const int64_t perGroup = config.experts / config.groups;
  if (config.groups > 1 && perGroup < 2)
    fields.fail("n_group is " + llvm::Twine(config.groups) + " for " + llvm::Twine(config.experts) +
                " experts: groups are ranked by their two best experts and need 2 each");
  if (config.expertsPerToken > perGroup * config.keptGroups)
    fields.fail("num_experts_per_tok is " + llvm::Twine(config.expertsPerToken) + " but the kept groups have " +
                llvm::Twine(perGroup * config.keptGroups) + " experts");
}

/// The outer object may say it for the inner one.
llvm::Error readQuantisation(const llvm::json::Object &object, const std::string &where, ModelConfig &config) {
  if (config.quantisation.format != WeightFormat::plain && !object.get("quantization_config"))
    return llvm::Error::success();
  llvm::Expected<Quantisation> quantisation = parseQuantisation(object, where);
  if (!quantisation)
    return quantisation.takeError();
  config.quantisation = std::move(*quantisation);
  return llvm::Error::success();
}

/// The fields of the text model, be it the whole config or its text_config.
llvm::Error readText(const llvm::json::Object &object, const std::string &where, ModelConfig &config) {
  FieldReader fields(object, where);
  const std::string family = fields.string("model_type");
  if (!fields.hasFailed() && family != "kimi_k2" && family != "deepseek_v3")
    fields.fail("model_type is " + inQuotes(family) + "; kimi_k2, deepseek_v3 and kimi_k25 are supported");
  config.vocabulary = fields.integer("vocab_size", 1, kMaxVocabulary);
  config.hidden = fields.integer("hidden_size", 1, kMaxSize);
  config.layers = fields.integer("num_hidden_layers", 1, kMaxLayers);
  config.context = fields.integer("max_position_embeddings", 1, kMaxContext);
  config.denseLayers = fields.integer("first_k_dense_replace", 0, kMaxLayers);
  config.denseLayers = std::min(config.denseLayers, config.layers);
  config.intermediate = fields.integer("intermediate_size", 1, kMaxSize);
  config.predictLayers = fields.integer("num_nextn_predict_layers", 0, kMaxLayers, 0);
  config.eps = fields.number("rms_norm_eps", 0, 1);
  config.isTied = fields.boolean("tie_word_embeddings", false);
  fields.requireString("hidden_act", "silu");
  readAttention(fields, config);
  readExperts(fields, config);
  readRope(object, where, fields, config);
  if (llvm::Error error = fields.takeError())
    return error;
  return readQuantisation(object, where, config);
}

} // namespace

llvm::Error ModelConfig::limitLayers(int64_t count) {
  if (count < 1 || count > layers)
    return makeError("--layers is " + llvm::Twine(count) + " but the model has " + llvm::Twine(layers) +
                     " layers: choose from 1 to " + llvm::Twine(layers));
  cutLayers = layers - count;
  layers = count;
  denseLayers = std::min(denseLayers, count);
  return llvm::Error::success();
}

double ModelConfig::softmaxScale() const {
  const double magnitude = ropeConfig.attentionMagnitude;
  return magnitude * magnitude / std::sqrt(static_cast<double>(queryHead()));
}

llvm::Expected<ModelConfig> parseModelConfig(llvm::StringRef text, llvm::StringRef path) {
  llvm::Expected<llvm::json::Object> object = parseObject(text, path);
  if (!object)
    return object.takeError();
  FieldReader fields(*object, path.str());
  ModelConfig config{};
  config.name = fields.string("model_type");
  if (llvm::Error error = fields.takeError())
    return error;
  if (llvm::Error error = readQuantisation(*object, path.str(), config))
    return error;
  if (!object->get("text_config")) {
    if (llvm::Error error = readText(*object, path.str(), config))
      return error;
    return config;
  }
  const llvm::json::Object *inner = object->getObject("text_config");
  if (!inner)
    return makeError(path + ": text_config must be an object {..}");
  if (config.name != "kimi_k25")
    return makeError(path + ": model_type is " + inQuotes(config.name) +
                     " with a text_config; of nested models only kimi_k25 is supported");
  config.prefix = "language_model.";
  if (llvm::Error error = readText(*inner, path.str() + ": text_config", config))
    return error;
  return config;
}

} // namespace kimi::import_
