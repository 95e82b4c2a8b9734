// What fuzz targets share: inputs of several parts, files of their own, and what must hold.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

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

/// A folder of the process's own, removed when it ends well. Its name is the first that is free, not a random one:
/// messages hold it, and what is covered while they are looked at must not depend on chance.
class ScratchFolder {
public:
  ScratchFolder() {
    for (int i = 0; folder.empty(); ++i) {
      const auto name = std::filesystem::temp_directory_path() / ("kimi-fuzz-" + std::to_string(i));
      if (std::filesystem::create_directory(name)) // throws where it cannot
        folder = name;
    }
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

/// An error fits one line and says where: it holds one of `places`, which are names of fields and words for positions.
inline void requireMessage(std::string_view message, std::initializer_list<std::string_view> places) {
  constexpr size_t kMostBytes = 2000;
  const auto isControl = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  const auto isNamed = [&](std::string_view place) { return message.contains(place); };
  const bool isLine = std::ranges::none_of(message, isControl) && message.size() <= kMostBytes;
  if (!isLine || std::ranges::none_of(places, isNamed))
    std::fprintf(stderr, "the message: %.*s\n", int(message.size()), message.data());
  require(isLine, "an error is one line of at most 2000 bytes");
  require(std::ranges::any_of(places, isNamed), "an error names the field or the position");
}

} // namespace kimi::fuzz
