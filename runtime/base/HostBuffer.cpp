#include "runtime/base/HostBuffer.h"

#include "runtime/base/Units.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <utility>

namespace kimi::runtime {

static constexpr uint64_t kHugePage = uint64_t(2) << 20;

Expected<HostBuffer> HostBuffer::allocate(uint64_t bytes, std::string_view what) {
  HostBuffer buffer;
  if (bytes == 0)
    return buffer;
  bool isLarge = bytes >= kHugePage;
  uint64_t mappedBytes = isLarge ? bytes + kHugePage : bytes;
  void *address = MAP_FAILED;
  if (mappedBytes >= bytes) // no overflow
    address = mmap(nullptr, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
  if (address == MAP_FAILED)
    return failure(fmt::format("cannot get {} of memory for the {}", formatBytes(bytes), what));
  buffer.mapping = buffer.start = static_cast<std::byte *>(address);
  buffer.mappedBytes = mappedBytes;
  buffer.bytes = bytes;
  if (isLarge) {
    uintptr_t aligned = (reinterpret_cast<uintptr_t>(address) + kHugePage - 1) / kHugePage * kHugePage;
    buffer.start = reinterpret_cast<std::byte *>(aligned);
    madvise(buffer.start, bytes, MADV_HUGEPAGE); // Advice only: 4 KiB pages work too.
  }
  return buffer;
}

HostBuffer::HostBuffer(HostBuffer &&other) noexcept { *this = std::move(other); }

HostBuffer &HostBuffer::operator=(HostBuffer &&other) noexcept {
  std::swap(mapping, other.mapping);
  std::swap(mappedBytes, other.mappedBytes);
  std::swap(start, other.start);
  std::swap(bytes, other.bytes);
  return *this;
}

HostBuffer::~HostBuffer() {
  if (mapping)
    munmap(mapping, mappedBytes);
}

} // namespace kimi::runtime
