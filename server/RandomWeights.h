// What a program says before it runs an artifact that holds noise. Thread rule: a plain function.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/engine/Manifest.h"

#include <fmt/format.h>

namespace kimi {

/// A line for people where an artifact's manifest records random weights, "" where it does not. An error as from
/// Manifest::read.
inline Expected<std::string> warnOfRandomWeights(const std::filesystem::path &artifact) {
  TRY_ASSIGN(runtime::Manifest manifest, runtime::Manifest::read(artifact / "manifest.json"));
  if (!manifest.weights.starts_with("random"))
    return std::string();
  return fmt::format("{} holds random weights ({}{}): it is for benchmarks, and what it says means nothing",
                     artifact.string(), manifest.weights,
                     manifest.layers.empty() ? "" : ", layers " + manifest.layers);
}

} // namespace kimi
