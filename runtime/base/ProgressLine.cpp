#include "runtime/base/ProgressLine.h"

#include <cstdio>
#include <unistd.h>

namespace kimi::runtime {

static constexpr std::chrono::milliseconds kTerminalInterval{200};
static constexpr std::chrono::seconds kLogInterval{5};

ProgressLine::ProgressLine(std::string what)
    : what(std::move(what)), isTerminal(isatty(STDERR_FILENO)),
      next(std::chrono::steady_clock::now() + (isTerminal ? kTerminalInterval : kLogInterval)) {}

ProgressLine::~ProgressLine() {
  if (isShown && isTerminal)
    std::fputs("\r\033[K", stderr);
}

void ProgressLine::show(uint64_t done, uint64_t total, const std::string &totalText) {
  auto now = std::chrono::steady_clock::now();
  if (now < next)
    return;
  next = now + (isTerminal ? kTerminalInterval : kLogInterval);
  isShown = true;
  double percent = total ? 100.0 * double(done) / double(total) : 100.0;
  std::fprintf(stderr, "%s%s %.0f %% of %s%s", isTerminal ? "\r\033[K" : "", what.c_str(), percent,
               totalText.c_str(), isTerminal ? "" : "\n");
}

} // namespace kimi::runtime
