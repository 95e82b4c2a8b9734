// Compiled kernels: an ELF shared object, loaded from verified bytes. Owner: unloads when destroyed;
// functions found in it must not be called afterwards.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kimi::runtime {

/// The kernel ABI (runtime/schema/artifact.fbs, table Kernel).
using KernelFunction = void (*)(void *const *buffers, const int64_t *dims, int64_t task);

class Code {
public:
  /// `name` is for messages. Errors: not an ELF shared object, another machine's code, not loadable.
  static Expected<Code> load(std::span<const std::byte> object, const std::string &name);

  Code(Code &&other) noexcept;
  Code &operator=(Code &&other) noexcept;
  ~Code();

  /// Null when the object does not define it.
  KernelFunction find(const char *symbol) const;

private:
  Code() = default;

  void *library = nullptr;
  int descriptor = -1;
};

} // namespace kimi::runtime
