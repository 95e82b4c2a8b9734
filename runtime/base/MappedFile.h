// A regular file mapped read-only. Owner: unmaps when destroyed. Thread rule: the bytes may be read by any
// thread.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <filesystem>
#include <span>

namespace kimi::runtime {

class MappedFile {
public:
  /// Errors: no such file, not a regular file, not readable, not mappable; the message starts with the path.
  static Expected<MappedFile> open(const std::filesystem::path &path);

  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// Starts on a page boundary; empty for an empty file.
  std::span<const std::byte> bytes() const { return {data, size}; }

  /// Asks the kernel to read ahead. Never fails: it is only advice.
  void readAhead() const;

private:
  const std::byte *data = nullptr;
  size_t size = 0;
};

} // namespace kimi::runtime
