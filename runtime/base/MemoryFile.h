// A file without a name, in memory: for bytes that are made here but read as files are. Owner: gone when destroyed.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace kimi::runtime {

class MemoryFile {
public:
  /// Zeroed. The error names `what` it was for and how much was asked.
  static Expected<MemoryFile> create(uint64_t bytes, const std::string &what);
  MemoryFile(MemoryFile &&other) noexcept;
  MemoryFile(const MemoryFile &) = delete;
  ~MemoryFile();

  std::span<std::byte> bytes() const { return {data, size}; }
  /// Opens for this process as long as the owner lives.
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

private:
  MemoryFile() = default;
  int descriptor = -1;
  std::byte *data = nullptr;
  uint64_t size = 0;
};

} // namespace kimi::runtime
