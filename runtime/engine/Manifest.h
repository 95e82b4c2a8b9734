// manifest.json: the top of an artifact's tree of hashes. It holds the hash of plan.fb, which holds those of
// weights and code; and the hashes of the files the plan does not know (the tokenizer's).
#pragma once

#include "runtime/base/Status.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kimi::runtime {

struct Manifest {
  struct File {
    std::string path; // relative to the artifact directory
    std::string hash;
  };

  uint32_t formatVersion = 0;
  std::string compilerVersion;
  std::string planHash;
  uint64_t planBytes = 0;
  std::vector<File> files;
  std::string weights, layers; // for people: "random, seed 1", "2 of 61"; empty where not recorded

  /// Errors: missing file, not JSON, a key that is missing or of the wrong type, another format version.
  static Expected<Manifest> read(const std::filesystem::path &path);
};

/// Error unless `path` stays inside the artifact directory: relative, no "..", no empty part.
Status checkRelativePath(const std::string &path);

/// Error unless `hash` is 32 lower-case hex digits; `what` is hashed.
Status checkHashText(std::string_view what, const std::string &hash);

} // namespace kimi::runtime
