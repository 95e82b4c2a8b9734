#include "runtime/cpu/Target.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <span>
#include <sstream>
#include <sys/utsname.h>
#include <utility>
#include <vector>

namespace kimi::runtime {

// What the psABI levels add, in Linux's spelling (normalised). osxsave has no flag: avx implies it.
static constexpr std::string_view kV3[] = {"cx16", "lahflm", "popcnt", "sse41", "sse42", "ssse3", "avx",
                                           "avx2", "bmi1",   "bmi2",   "f16c",  "fma",   "abm",   "movbe"};
static constexpr std::string_view kV4[] = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"};

// LLVM's name → Linux's name where they differ by more than punctuation.
static constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"lzcnt", "abm"},        {"sahf", "lahflm"},          {"sse3", "pni"},   {"pclmul", "pclmulqdq"},
    {"rdrnd", "rdrand"},     {"prfchw", "3dnowprefetch"}, {"sha", "shani"},  {"bmi", "bmi1"},
    {"crc32", "sse42"},      {"neon", "asimd"},           {"fparmv8", "fp"}, {"dotprod", "asimddp"},
    {"fullfp16", "asimdhp"}, {"lse", "atomics"}};

static std::string normalise(std::string_view name) {
  std::string plain;
  for (char c : name)
    if (c != '.' && c != '_' && c != '-' && c != ' ')
      plain += char(std::tolower(static_cast<unsigned char>(c)));
  for (auto [llvmName, linuxName] : kAliases)
    if (plain == llvmName)
      return std::string(linuxName);
  return plain;
}

Processor Processor::host() {
  Processor processor;
  utsname name;
  if (uname(&name) == 0)
    processor.machine = name.machine;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features"))
      continue;
    std::istringstream words(line.substr(std::min(line.find(':'), line.size() - 1) + 1));
    for (std::string word; words >> word;)
      processor.features.insert(normalise(word));
    break; // All processors of a machine we support are alike.
  }
  return processor;
}

static Status requireMachine(std::string_view target, std::string_view machine, const Processor &processor) {
  if (processor.machine == machine)
    return {};
  return failure(fmt::format("compiled for {}, but this machine is {}: compile for this machine's target",
                             target, processor.machine));
}

static Status requireFeatures(std::string_view target, std::span<const std::string_view> names,
                              const Processor &processor) {
  std::vector<std::string_view> missing;
  for (std::string_view name : names)
    if (!processor.features.contains(normalise(name)))
      missing.push_back(name);
  if (missing.empty())
    return {};
  return failure(
      fmt::format("compiled for {}, but this processor lacks {}", target, fmt::join(missing, ", ")));
}

static std::vector<std::string_view> splitByComma(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    size_t end = std::min(text.find(','), text.size());
    if (end > 0)
      parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

Status checkTarget(std::string_view target, const Processor &processor) {
  if (target == "cpu:x86-64-v3" || target == "cpu:x86-64-v4") {
    TRY(requireMachine(target, "x86_64", processor));
    TRY(requireFeatures(target, kV3, processor));
    return target.ends_with("v4") ? requireFeatures(target, kV4, processor) : Status();
  }
  if (target == "cpu:aarch64")
    return requireMachine(target, "aarch64", processor);
  constexpr std::string_view kNative = "cpu:native(";
  if (target.starts_with(kNative) && target.ends_with(")")) {
    auto names = splitByComma(target.substr(kNative.size(), target.size() - kNative.size() - 1));
    return requireFeatures("cpu:native", names, processor);
  }
  if (target == "cpu:native") // Running it would end in an illegal instruction on some machines.
    return failure("compiled for cpu:native without the features it needs, as in cpu:native(avx2,fma): no machine "
                   "can be checked against it");
  return failure(
      fmt::format("compiled for target {}; this runtime runs cpu:x86-64-v3, cpu:x86-64-v4, cpu:aarch64, "
                  "cpu:native(FEATURES) and cuda:sm_XY",
                  target));
}

} // namespace kimi::runtime
