// Which targets this machine can run.
//
// A CPU target is one of
//   cpu:x86-64-v3  cpu:x86-64-v4  cpu:aarch64  cpu:native(FEATURE,FEATURE,...)
// where native lists the processor features the code was compiled for, in LLVM's or in Linux's spelling.
#pragma once

#include "runtime/base/Status.h"

#include <set>
#include <string>
#include <string_view>

namespace kimi::runtime {

/// A processor: "x86_64" or "aarch64", and its features as Linux reports them, in lower case without . _ or
/// -.
struct Processor {
  std::string machine;
  std::set<std::string> features;

  static Processor host();
};

/// Errors: not a CPU target, another machine, features that `processor` lacks (each is named).
Status checkTarget(std::string_view target, const Processor &processor);

} // namespace kimi::runtime
