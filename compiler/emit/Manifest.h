// manifest.json: what an artifact is, and the hashes that plan.fb does not hold. Thread rule: plain functions.
#pragma once

#include "compiler/emit/Files.h"

#include "mlir/IR/BuiltinOps.h"

namespace kimi::emit {

inline constexpr llvm::StringLiteral kManifestName = "manifest.json";
inline constexpr llvm::StringLiteral kPlanName = "plan.fb";

/// `files`: those that plan.fb does not list.
std::string printManifest(mlir::ModuleOp module, const FileRecord &plan, llvm::ArrayRef<FileRecord> files);

/// What the read-back needs of a manifest.
struct ManifestView {
  uint64_t formatVersion = 0;
  FileRecord plan;
  std::vector<FileRecord> files; // sizes are not recorded: 0
};

llvm::Expected<ManifestView> readManifest(const std::string &directory);

} // namespace kimi::emit
