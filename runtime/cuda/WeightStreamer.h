// Moves files into device memory: each is read once, from its first byte to its last, through a small ring of
// pinned buffers, and is hashed on the way. No second copy of it stays on the host.
#pragma once

#include "runtime/base/FileQueue.h"
#include "runtime/cuda/Device.h"

#include <filesystem>
#include <span>

namespace kimi::runtime::cuda {

struct FileToStream {
  std::filesystem::path path;
  uint64_t bytes = 0;
  std::string hash; // expected; empty = not verified
  CUdeviceptr destination = 0;
};

/// Reads files with up to `numThreads` threads, the largest first. Returns once everything is on the device.
/// `progress` is called by this thread. Errors, the first of which stops all: a file that cannot be read, is
/// shorter than expected, or has another hash; a failed copy.
Status streamFiles(const Device &device, std::span<const FileToStream> files, int numThreads,
                   const Progress &progress);

} // namespace kimi::runtime::cuda
