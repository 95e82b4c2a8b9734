// Writes a Hugging Face checkpoint of a small model with random weights: config.json, generation_config.json,
// safetensors and a tokenizer. The bytes depend on the family, the seed and the number of shards alone; checkpoint.py
// writes the same ones. Thread rule: a plain function.
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kimi::golden {

struct CheckpointOptions {
  uint64_t seed = 1;
  /// 1 writes model.safetensors; more write as many shards and model.safetensors.index.json.
  int numShards = 1;
};

/// The names that writeRandomCheckpoint knows, sorted.
std::vector<std::string> listFamilies();

/// Creates `folder` where it is missing and writes the checkpoint of `family` into it.
Status writeRandomCheckpoint(std::string_view family, const std::filesystem::path &folder,
                             const CheckpointOptions &options = {});

} // namespace kimi::golden
