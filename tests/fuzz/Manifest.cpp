// A manifest.json.
#include "runtime/engine/Manifest.h"
#include "tests/fuzz/Input.h"

using namespace kimi;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const fuzz::ScratchFolder folder;
  const auto manifest = runtime::Manifest::read(folder.write("manifest.json", fuzz::asText(data, size)));
  if (!manifest)
    return fuzz::requireMessage(manifest.error().message, {"\"", "hash", "version", " byte ", "not a JSON object"}), 0;
  for (const runtime::Manifest::File &file : manifest->files) {
    // Said in other words than checkRelativePath says it.
    const std::string inside = (folder.path() / file.path).lexically_normal().string();
    fuzz::require(inside.starts_with(folder.path().lexically_normal().string() + "/"), "every path stays inside the artifact");
    fuzz::require(file.hash.size() == 32, "every hash has 32 digits");
  }
  return 0;
}
