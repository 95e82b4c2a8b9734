// What a program says before it runs an artifact that holds noise. Thread rule: a plain function.
#pragma once

#include "runtime/kimi.h"

#include <fmt/format.h>

namespace kimi {

/// A line for people where the weights of `artifact` are random or made up from shapes, "" where they are a model's.
inline std::string warnOfRandomWeights(const std::string &artifact, const ModelInfo &model) {
  if (!model.weights.starts_with("random") && model.weights != "shapes")
    return "";
  return fmt::format("{} holds random weights ({}{}): it is for benchmarks, and what it says means nothing", artifact,
                     model.weights, model.layersKept.empty() ? "" : ", layers " + model.layersKept);
}

} // namespace kimi
