#include "runtime/base/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace kimi::runtime {

static std::unexpected<Error> systemFailure(const std::filesystem::path &path, const char *what) {
  return failure(fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

Expected<MappedFile> MappedFile::open(const std::filesystem::path &path) {
  // O_NONBLOCK: a FIFO in the artifact's place must not hang the load; it is refused below.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return systemFailure(path, "cannot open");
  struct stat info;
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return failure(fmt::format("{}: not a regular file", path.string()));
  }
  MappedFile file;
  if (info.st_size > 0) {
    void *address = mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED) {
      auto error = systemFailure(path, "cannot map");
      ::close(descriptor);
      return error;
    }
    file.data = static_cast<const std::byte *>(address);
    file.size = size_t(info.st_size);
  }
  ::close(descriptor); // The mapping keeps the file.
  return file;
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)), size(std::exchange(other.size, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  return *this;
}

MappedFile::~MappedFile() {
  if (data)
    munmap(const_cast<std::byte *>(data), size);
}

void MappedFile::readAhead() const {
  if (data)
    madvise(const_cast<std::byte *>(data), size, MADV_WILLNEED);
}

} // namespace kimi::runtime
