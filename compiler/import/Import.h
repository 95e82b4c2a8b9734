// config.json and safetensors headers to a module of the kimi dialect. No weight byte is read. See README.md.
// Thread rule: plain functions; one context, one thread.
#pragma once

#include "compiler/import/ModelConfig.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kimi::import_ {

/// What the command line decides; all of it becomes module attributes.
struct ImportOptions {
  std::string numerics = ""; // "f32", "bf16", "w8a16", "w4a16", "w8a8-1x128"; empty: what the checkpoint's weights ask for
  std::string target = "cpu:x86-64-v3";
  int64_t mesh = 1;                   // ranks
  std::optional<int64_t> maxContext = std::nullopt; // at most max_position_embeddings, the default
  int64_t maxSequences = 16;          // in one step
  int64_t maxTokens = 512;            // in one step
  std::string prefillAttention = "absorbed"; // or "expanded"
  std::vector<std::string> overrides = {};   // "OP=NAME": becomes kimi.overrides
  std::optional<int64_t> layers = std::nullopt; // the first ones only: part of a model, for benchmarks
  std::string weights = "packed";            // "random", "shapes": config.json is all that is read; "reference"
  int64_t seed = 1;                          // of random weights
  /// Only config.json is read: for looking at a model whose weights are elsewhere. Every weight
  /// that config.json lets be quantised counts as such.
  bool configOnly = false;

  bool readsConfigOnly() const { return configOnly || weights == "random" || weights == "shapes"; }
};

/// The path of the config.json that `directory` stands for; where `mayBeFile`, the path of one itself will do.
llvm::Expected<std::string> findConfig(const std::string &directory, bool mayBeFile);

/// Reads that config.json.
llvm::Expected<ModelConfig> readModelConfig(const std::string &directory, bool mayBeFile);

/// Imports the checkpoint in `directory` (where only config.json is read, also the path of one). The first thing wrong is
/// the error, one line. `notes`, where given, receives what was passed over by rule, one line each.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importCheckpoint(mlir::MLIRContext &context,
                                                                   const std::string &directory,
                                                                   const ImportOptions &options = {},
                                                                   std::vector<std::string> *notes = nullptr);

} // namespace kimi::import_
