// What the runtime's programs have in common: version text, exit codes, one-line errors.
#pragma once

#include "runtime/base/Status.h"
#include "runtime/schema/FormatVersion.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <string>

namespace kimi::tool {

enum ExitCode : int { kSuccess = 0, kFailure = 1, kUsage = 2 };

inline constexpr const char *kExitCodeHelp =
    "Exit codes: 0 success, 1 the artifact or the run was refused (one line on "
    "stderr says why), 2 wrong usage.";

inline std::string versionText(const char *program) {
  return fmt::format("{} {} (reads artifact format {})", program, KIMI_VERSION, artifact::kFormatVersion);
}

/// For a parse that ended early: --help and --version succeed, everything else is wrong usage.
inline int exitCode(const CLI::App &app, const CLI::ParseError &error) {
  return app.exit(error) == 0 ? kSuccess : kUsage;
}

inline int fail(const char *program, const Error &error) {
  std::fprintf(stderr, "%s: error: %s\n", program, error.message.c_str());
  return kFailure;
}

/// Sizes as people write them: 4096, 512MB, 8GiB (powers of 1024).
inline CLI::AsSizeValue sizeValue() { return CLI::AsSizeValue(false); }

} // namespace kimi::tool
