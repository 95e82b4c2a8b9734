// kimi-random-checkpoint FAMILY OUTDIR [--seed S] [--shards N]
#include "tests/golden/RandomCheckpoint.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

int main(int argc, char **argv) {
  CLI::App app("Writes a small Hugging Face checkpoint with random weights whose logits are known (tests/golden).");
  std::string family, folder;
  kimi::golden::CheckpointOptions options;
  app.add_option("FAMILY", family, fmt::format("one of {}", fmt::join(kimi::golden::listFamilies(), ", ")))->required();
  app.add_option("OUTDIR", folder, "the folder to write; created where missing")->required();
  app.add_option("--seed", options.seed, "another seed gives other weights")->capture_default_str();
  app.add_option("--shards", options.numShards, "how many safetensors files")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  if (kimi::Status status = kimi::golden::writeRandomCheckpoint(family, folder, options); !status) {
    fmt::print(stderr, "kimi-random-checkpoint: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
