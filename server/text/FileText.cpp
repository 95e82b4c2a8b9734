#include "server/text/FileText.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace kimi::text {

Expected<std::string> readFile(const std::filesystem::path &file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    return failure(file.string() + ": is a folder where a file was expected");
  const std::unique_ptr<FILE, int (*)(FILE *)> stream(std::fopen(file.c_str(), "rb"), std::fclose);
  if (!stream)
    return failure(file.string() + ": cannot open: " + std::strerror(errno));
  std::string text;
  const auto size = std::filesystem::file_size(file, ignored);
  text.resize(ignored ? 0 : size);
  text.resize(std::fread(text.data(), 1, text.size(), stream.get()));
  // The size is only a hint: a pipe has none, a file may still grow.
  char more[4096];
  while (const size_t count = std::fread(more, 1, sizeof more, stream.get()))
    text.append(more, count);
  if (std::ferror(stream.get()))
    return failure(file.string() + ": cannot read: " + std::strerror(errno));
  return text;
}

} // namespace kimi::text
