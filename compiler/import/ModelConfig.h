// What config.json says of a model of the Kimi-K2 family, checked. Thread rule: a value.
#pragma once

#include "compiler/import/Quantisation.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace kimi::import_ {

/// YaRN scaling; without it factor is 1 and attentionMagnitude 1.
struct RopeConfig {
  double theta;
  double factor = 1;
  int64_t originalContext = 0;
  double betaFast = 32, betaSlow = 1;
  double magnitude = 1;       // of cos and sin
  double attentionMagnitude = 1; // squared into the softmax scale
};

struct ModelConfig {
  std::string name;     // the outer model_type
  std::string prefix;   // of every tensor name: "" or "language_model."
  Quantisation quantisation;

  int64_t vocabulary, hidden, layers, context;
  int64_t heads, latent, nope, rope, value; // value: size of one head's value
  std::optional<int64_t> queryRank;         // none: one q_proj instead of q_a_proj, q_b_proj
  int64_t denseLayers, intermediate;        // the first layers have a plain MLP
  int64_t experts = 0, expertsPerToken = 0, moeIntermediate = 0, sharedExperts = 0;
  int64_t groups = 1, keptGroups = 1;
  bool normalise = true;
  double routedScaling = 1;
  double eps;
  bool isTied;                 // lm_head is the embedding table
  int64_t predictLayers;       // multi-token prediction layers after `layers`: not part of the model
  int64_t cutLayers = 0;       // of config.json's layers, left out by limitLayers()
  RopeConfig ropeConfig;

  /// Keeps the first `count` layers. An error where there are fewer.
  llvm::Error limitLayers(int64_t count);
  bool isNested() const { return !prefix.empty(); }
  int64_t moeLayers() const { return layers - denseLayers; }
  int64_t queryHead() const { return nope + rope; }
  /// (nope + rope)^-1/2 times the squared YaRN magnitude.
  double softmaxScale() const;
};

/// Parses the text of a config.json; `path` is named in messages.
llvm::Expected<ModelConfig> parseModelConfig(llvm::StringRef text, llvm::StringRef path);

} // namespace kimi::import_
