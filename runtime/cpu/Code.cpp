#include "runtime/cpu/Code.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace kimi::runtime {

#if defined(__x86_64__)
static constexpr Elf64_Half kHostMachine = EM_X86_64;
#elif defined(__aarch64__)
static constexpr Elf64_Half kHostMachine = EM_AARCH64;
#else
#error "the CPU target runs on x86-64 and aarch64"
#endif

static std::string machineName(Elf64_Half machine) {
  switch (machine) {
  case EM_X86_64:
    return "x86-64";
  case EM_AARCH64:
    return "aarch64";
  default:
    return fmt::format("ELF machine {}", machine);
  }
}

/// Refused here, with a reason, rather than by the dynamic loader: it may have run code before it notices.
static Status checkElf(std::span<const std::byte> object, const std::string &name) {
  Elf64_Ehdr header;
  if (object.size() < sizeof(header))
    return failure(fmt::format("{}: {} bytes are too few for an ELF object", name, object.size()));
  std::memcpy(&header, object.data(), sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return failure(fmt::format("{}: not an ELF object", name));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_type != ET_DYN)
    return failure(fmt::format("{}: not a 64-bit little-endian ELF shared object", name));
  if (header.e_machine != kHostMachine)
    return failure(fmt::format("{}: holds code for {}, but this machine is {}", name,
                               machineName(header.e_machine), machineName(kHostMachine)));
  uint64_t tableEnd = header.e_phoff + uint64_t(header.e_phnum) * sizeof(Elf64_Phdr);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > object.size() || tableEnd > object.size())
    return failure(fmt::format("{}: its program headers lie outside its {} bytes", name, object.size()));
  return {};
}

static bool writeAll(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    bytes = bytes.subspan(size_t(written));
  }
  return true;
}

Expected<Code> Code::load(std::span<const std::byte> object, const std::string &name) {
  TRY(checkElf(object, name));
  // An anonymous file holds exactly the bytes that were verified, whatever happens to the artifact meanwhile,
  // and works on file systems mounted noexec.
  Code code;
  code.descriptor = memfd_create("kimi-code", MFD_CLOEXEC);
  if (code.descriptor < 0 || !writeAll(code.descriptor, object))
    return failure(fmt::format("{}: cannot hold the code in memory: {}", name, std::strerror(errno)));
  // The descriptor stays open as long as the library: the loader knows libraries by path, and a later file
  // under the same number would silently get this library.
  std::string path = fmt::format("/proc/self/fd/{}", code.descriptor);
  code.library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!code.library)
    return failure(fmt::format("{}: cannot load the code: {}", name, dlerror()));
  return code;
}

Code::Code(Code &&other) noexcept
    : library(std::exchange(other.library, nullptr)), descriptor(std::exchange(other.descriptor, -1)) {}

Code &Code::operator=(Code &&other) noexcept {
  std::swap(library, other.library);
  std::swap(descriptor, other.descriptor);
  return *this;
}

Code::~Code() {
  if (library)
    dlclose(library);
  if (descriptor >= 0)
    ::close(descriptor);
}

KernelFunction Code::find(const char *symbol) const {
  return reinterpret_cast<KernelFunction>(dlsym(library, symbol));
}

} // namespace kimi::runtime
