// What fuzz targets share: inputs of several parts, files of their own, and what must hold.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace kimi::fuzz {

inline std::string_view asText(const uint8_t *data, size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

/// Exactly `count` parts, divided by lines "%%"; those that are not there are empty.
inline std::vector<std::string_view> splitParts(std::string_view input, size_t count) {
  static constexpr std::string_view kDivider = "\n%%\n";
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count) {
    const size_t end = std::min(input.find(kDivider), input.size());
    parts.push_back(input.substr(0, end));
    input.remove_prefix(std::min(end + kDivider.size(), input.size()));
  }
  parts.push_back(input);
  return parts;
}

/// A folder of the process's own, removed when it ends well.
class ScratchFolder {
public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kimi-fuzz-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      std::perror(pattern.c_str()), std::exit(1);
    folder = pattern;
  }
  ~ScratchFolder() { std::filesystem::remove_all(folder); }

  const std::filesystem::path &path() const { return folder; }

  /// Returns the file's path.
  std::filesystem::path write(const std::string &name, std::string_view bytes) const {
    const auto file = folder / name;
    std::ofstream(file, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
    return file;
  }

  /// An empty part stands for a file that is not there.
  void writeOrRemove(const std::string &name, std::string_view bytes) const {
    if (bytes.empty())
      std::filesystem::remove(folder / name);
    else
      write(name, bytes);
  }

private:
  std::filesystem::path folder;
};

/// Ends the run as a finding.
inline void require(bool holds, std::string_view what) {
  if (holds)
    return;
  std::fprintf(stderr, "does not hold: %.*s\n", int(what.size()), what.data());
  std::abort();
}

/// An error says something.
inline void requireMessage(std::string_view message) {
  require(!message.empty(), "an error has a message");
}

} // namespace kimi::fuzz
