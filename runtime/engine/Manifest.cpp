#include "runtime/engine/Manifest.h"

#include "runtime/base/MappedFile.h"
#include "runtime/schema/FormatVersion.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace json = boost::json;

namespace kimi::runtime {

Status checkRelativePath(const std::string &path) {
  bool isInside = !path.empty() && path.find('\0') == std::string::npos && !path.starts_with('/');
  for (const auto &part : std::filesystem::path(path))
    isInside = isInside && !part.empty() && part != "." && part != "..";
  if (!isInside)
    return failure(fmt::format("file path \"{}\" does not stay inside the artifact", shortened(path, 200)));
  return {};
}

Status checkHashText(std::string_view what, const std::string &hash) {
  auto isDigit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hash.size() != 32 || !std::all_of(hash.begin(), hash.end(), isDigit))
    return failure(fmt::format("{}: \"{}\" is not a hash of 32 lower-case hex digits", shortened(std::string(what), 200),
                               shortened(hash)));
  return {};
}

static Expected<std::string> readString(const json::object &object, std::string_view key) {
  const json::value *value = object.if_contains(key);
  if (!value || !value->is_string())
    return failure(fmt::format("\"{}\" is missing or not a string", key));
  return std::string(value->get_string());
}

static std::string optionalString(const json::object &object, std::string_view key) {
  const json::value *value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

static Expected<uint64_t> readNumber(const json::object &object, std::string_view key) {
  const json::value *value = object.if_contains(key);
  if (!value || !value->is_int64() || value->get_int64() < 0)
    return failure(fmt::format("\"{}\" is missing or not a whole number", key));
  return uint64_t(value->get_int64());
}

static Status readFiles(const json::object &object, std::vector<Manifest::File> &files) {
  const json::value *value = object.if_contains("files");
  if (!value || !value->is_object())
    return failure("\"files\" is missing or not an object of path: hash");
  for (const auto &[path, hash] : value->get_object()) {
    if (!hash.is_string())
      return failure(fmt::format("the hash of \"{}\" is not a string", shortened(std::string(path), 200)));
    Manifest::File file{std::string(path), std::string(hash.get_string())};
    TRY(checkRelativePath(file.path));
    TRY(checkHashText(file.path, file.hash));
    files.push_back(std::move(file));
  }
  return {};
}

static Expected<Manifest> parse(std::string_view text) {
  json::error_code error;
  json::parser parser;
  const size_t used = parser.write(text, error);
  if (error)
    return failure(fmt::format("not JSON at byte {}: {}", used, error.message()));
  const json::value root = parser.release();
  if (!root.is_object())
    return failure("not a JSON object");
  const json::object &object = root.get_object();
  Manifest manifest;
  // The version first: everything else may have another meaning in another version.
  TRY_ASSIGN(uint64_t version, readNumber(object, "format_version"));
  if (version != artifact::kFormatVersion)
    return failure(
        fmt::format("artifact format version {}, but this runtime reads version {}: compile it again",
                    version, artifact::kFormatVersion));
  manifest.formatVersion = uint32_t(version);
  TRY_ASSIGN(manifest.compilerVersion, readString(object, "compiler_version"));
  TRY_ASSIGN(manifest.planHash, readString(object, "plan_hash"));
  TRY(checkHashText("plan_hash", manifest.planHash));
  TRY_ASSIGN(manifest.planBytes, readNumber(object, "plan_bytes"));
  TRY(readFiles(object, manifest.files));
  manifest.weights = optionalString(object, "weights");
  manifest.layers = optionalString(object, "layers");
  return manifest;
}

Expected<Manifest> Manifest::read(const std::filesystem::path &path) {
  TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  auto bytes = file.bytes();
  auto manifest = parse({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  if (!manifest)
    return failure(path.string(), manifest.error());
  return manifest;
}

} // namespace kimi::runtime
