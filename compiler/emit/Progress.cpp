#include "compiler/emit/Progress.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <unistd.h>

namespace kimi::emit {

static constexpr double kRateWindow = 10; // seconds
static constexpr std::chrono::milliseconds kTerminalInterval{100}, kLogInterval{10'000};

void RateMeter::add(double seconds, uint64_t done) {
  samples.push_back({seconds, done});
  while (samples.size() > 2 && samples[1].seconds <= seconds - kRateWindow)
    samples.pop_front();
}

double RateMeter::bytesPerSecond() const {
  const Sample &first = samples.front(), &last = samples.back();
  return last.seconds > first.seconds ? static_cast<double>(last.done - first.done) / (last.seconds - first.seconds) : 0;
}

std::string printBytes(uint64_t bytes) {
  static constexpr const char *units[] = {"KB", "MB", "GB", "TB"};
  if (bytes < 1000)
    return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (value /= 1000; value >= 1000 && unit + 1 < std::size(units); ++unit)
    value /= 1000;
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.1f ", value) << units[unit];
  return text;
}

std::string printSeconds(double seconds) {
  const auto whole = static_cast<unsigned>(std::clamp(seconds + 0.5, 0.0, 1e9));
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (whole < 60)
    stream << whole << " s";
  else if (whole < 3600)
    stream << llvm::format("%u min %02u s", whole / 60, whole % 60);
  else
    stream << llvm::format("%u h %02u min", whole / 3600, whole / 60 % 60);
  return text;
}

std::string progressText(llvm::StringRef what, uint64_t done, uint64_t total, double bytesPerSecond) {
  const double part = total ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const std::string text = (what + " " + printBytes(done) + " of " + printBytes(total) + " (" +
                            llvm::Twine(static_cast<unsigned>(100 * part)) + " %)")
                               .str();
  if (bytesPerSecond <= 0)
    return text;
  const double left = static_cast<double>(total - std::min(done, total)) / bytesPerSecond;
  return text + ", " + printBytes(static_cast<uint64_t>(bytesPerSecond)) + "/s, " + printSeconds(left) + " left";
}

ProgressTo progressToStandardError() {
  return ::isatty(STDERR_FILENO) ? ProgressTo::terminal : ProgressTo::log;
}

Progress::Progress(std::string what, uint64_t totalBytes, ProgressTo to)
    : what(std::move(what)), totalBytes(totalBytes), to(to) {}

Progress::~Progress() {
  if (to == ProgressTo::terminal)
    llvm::errs() << "\r\x1b[K";
}

void Progress::advance(uint64_t bytes) {
  std::lock_guard lock(mutex);
  doneBytes += bytes;
  const auto now = Clock::now();
  if (to == ProgressTo::nobody || now - lastShown < (to == ProgressTo::terminal ? kTerminalInterval : kLogInterval))
    return;
  lastShown = now;
  rate.add(std::chrono::duration<double>(now - start).count(), doneBytes);
  const std::string text = progressText(what, doneBytes, totalBytes, rate.bytesPerSecond());
  llvm::errs() << (to == ProgressTo::terminal ? "\r\x1b[K" + text : text + "\n");
}

} // namespace kimi::emit
