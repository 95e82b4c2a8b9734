// Hashes files in parallel and compares.
#pragma once

#include "runtime/base/FileQueue.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace kimi::runtime {

struct FileToVerify {
  std::string path; // for the message
  std::span<const std::byte> bytes;
  std::string hash; // expected
};

/// `progress` is called by this thread. Error: the first file found whose bytes do not have the expected
/// hash. Reading stops there.
Status verifyFiles(std::span<const FileToVerify> files, int numThreads, const Progress &progress);

} // namespace kimi::runtime
