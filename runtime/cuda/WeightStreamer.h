// Moves files into device memory: each is read once, from its first byte to its last, through a small ring of
// pinned buffers, and is hashed on the way. No second copy of it stays on the host.
#pragma once

#include "runtime/cuda/Device.h"

#include <filesystem>
#include <functional>
#include <span>

namespace kimi::runtime::cuda {

struct FileToStream {
  std::filesystem::path path;
  uint64_t bytes = 0;
  std::string hash; // expected; empty = not verified
  CUdeviceptr destination = 0;
};

/// Called by the thread that called streamFiles: bytes read so far, bytes to read.
using StreamProgress = std::function<void(uint64_t done, uint64_t total)>;

/// Reads files with up to `numThreads` threads, the largest first. Returns once everything is on the device.
/// Errors, the first of which stops all: a file that cannot be read, is shorter than expected, or has another
/// hash; a failed copy.
Status streamFiles(const Device &device, std::span<const FileToStream> files, int numThreads,
                   const StreamProgress &progress);

} // namespace kimi::runtime::cuda
