#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

namespace emulate {

/// Memory that ends where no memory is.
class Memory {
  static constexpr size_t kPage = 4096;

public:
  explicit Memory(size_t bytes) : size((bytes + kPage - 1) / kPage * kPage) {
    void *memory =
        ::mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || ::mprotect(static_cast<char *>(memory) + size, kPage, PROT_NONE)) {
      std::perror("emulated block: mmap");
      std::abort();
    }
    first = static_cast<unsigned char *>(memory);
  }
  Memory(const Memory &) = delete;
  ~Memory() { ::munmap(first, size + kPage); }

  unsigned char *begin() const { return first; }
  unsigned char *end() const { return first + size; }

private:
  size_t size;
  unsigned char *first;
};

} // namespace emulate
