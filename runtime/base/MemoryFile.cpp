#include "runtime/base/MemoryFile.h"

#include "runtime/base/Units.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace kimi::runtime {

Expected<MemoryFile> MemoryFile::create(uint64_t bytes, const std::string &what) {
  MemoryFile file;
  auto fail = [&] {
    return failure(fmt::format("cannot make {} of memory for {}: {}", formatBytes(double(bytes)), what, std::strerror(errno)));
  };
  file.descriptor = ::memfd_create("kimi", MFD_CLOEXEC);
  if (file.descriptor < 0 || ::ftruncate(file.descriptor, off_t(bytes)) != 0)
    return fail();
  void *mapping = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0);
  if (mapping == MAP_FAILED)
    return fail();
  file.data = static_cast<std::byte *>(mapping);
  file.size = bytes;
  return file;
}

MemoryFile::MemoryFile(MemoryFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), data(std::exchange(other.data, nullptr)),
      size(std::exchange(other.size, 0)) {}

MemoryFile::~MemoryFile() {
  if (data)
    ::munmap(data, size);
  if (descriptor >= 0)
    ::close(descriptor);
}

} // namespace kimi::runtime
