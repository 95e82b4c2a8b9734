// Hashes files in parallel and compares.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace kimi::runtime {

struct FileToVerify {
  std::string path; // for the message
  std::span<const std::byte> bytes;
  std::string hash; // expected
};

/// Called by the thread that called verifyFiles.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

/// Error: the first file found whose bytes do not have the expected hash. Reading stops there.
Status verifyFiles(std::span<const FileToVerify> files, int numThreads, const Progress &progress);

} // namespace kimi::runtime
