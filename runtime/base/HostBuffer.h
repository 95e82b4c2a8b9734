// A large zeroed piece of memory, on huge pages where the machine grants them. Owner: returns it when
// destroyed. Pages take physical memory only once written.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace kimi::runtime {

class HostBuffer {
public:
  /// At least 64-byte aligned; 2 MiB aligned from 2 MiB on. Zero bytes give an empty buffer. The error names
  /// `what` the memory was for and how much was asked.
  static Expected<HostBuffer> allocate(uint64_t bytes, std::string_view what);

  HostBuffer() = default;
  HostBuffer(HostBuffer &&other) noexcept;
  HostBuffer &operator=(HostBuffer &&other) noexcept;
  ~HostBuffer();

  std::byte *data() const { return start; }
  uint64_t size() const { return bytes; }

private:
  std::byte *mapping = nullptr; // what was mapped; `start` is the first huge-page boundary inside
  uint64_t mappedBytes = 0;
  std::byte *start = nullptr;
  uint64_t bytes = 0;
};

} // namespace kimi::runtime
