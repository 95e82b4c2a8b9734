#include "runtime/base/Machine.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sched.h>
#include <string>

namespace kimi::runtime {

/// The number in a one-number file of the cgroup file system; nothing for "max" or where there is no such
/// file.
static std::optional<uint64_t> readNumber(const char *path) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

/// "KEY: VALUE kB" or "KEY VALUE" lines; the value as written.
static std::optional<uint64_t> readField(const char *path, const std::string &key) {
  std::ifstream file(path);
  for (std::string word; file >> word;)
    if (uint64_t value = 0; word == key && file >> value)
      return value;
  return std::nullopt;
}

int usableThreads() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  int threads = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : 1;
  std::ifstream quotaFile("/sys/fs/cgroup/cpu.max"); // "QUOTA PERIOD" in µs, or "max PERIOD"
  if (double quota = 0, period = 0; quotaFile >> quota >> period && period > 0)
    threads = std::min(threads, int(quota / period + 0.999));
  return std::max(threads, 1);
}

uint64_t availableMemory() {
  uint64_t available = readField("/proc/meminfo", "MemAvailable:").value_or(0) * 1024;
  auto limit = readNumber("/sys/fs/cgroup/memory.max");
  auto used = readNumber("/sys/fs/cgroup/memory.current");
  if (limit && used) {
    // Page cache counts as used by the container but is given back on demand.
    uint64_t reclaimable = readField("/sys/fs/cgroup/memory.stat", "inactive_file").value_or(0) +
                           readField("/sys/fs/cgroup/memory.stat", "active_file").value_or(0);
    uint64_t held = *used - std::min(*used, reclaimable);
    available = std::min(available, *limit - std::min(*limit, held));
  }
  return available;
}

} // namespace kimi::runtime
