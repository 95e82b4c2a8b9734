// Tells a waiting person on stderr how far long work is: one line that rewrites itself on a terminal, a new
// line every few seconds elsewhere. Short work prints nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace kimi::runtime {

class ProgressLine {
public:
  /// `what` is being done, as in "verifying".
  explicit ProgressLine(std::string what);

  /// Clears the line.
  ~ProgressLine();
  ProgressLine(const ProgressLine &) = delete;
  ProgressLine &operator=(const ProgressLine &) = delete;

  /// Shown as "WHAT 45 % of TOTALTEXT".
  void show(uint64_t done, uint64_t total, const std::string &totalText);

private:
  std::string what;
  bool isTerminal;
  bool isShown = false;
  std::chrono::steady_clock::time_point next;
};

} // namespace kimi::runtime
