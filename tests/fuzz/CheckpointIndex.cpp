// Parts: the text of model.safetensors.index.json, then headers of a.safetensors and b.safetensors (without the length,
// which is put before them) followed after a line "--" by their data.
#include "compiler/import/Checkpoint.h"
#include "tests/fuzz/Input.h"

using namespace kimi;

// A shard that is not there is named by its path.
static const std::initializer_list<std::string_view> kPlaces = {
    "tensor \"", "weight_map", " key \"", "byte", "header is", "not an object", ": cannot be read"};

static std::string shard(std::string_view part) {
  static constexpr std::string_view kDivider = "\n--\n";
  const size_t length = std::min(part.find(kDivider), part.size());
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes += char(uint64_t(length) >> (8 * i));
  bytes += part.substr(0, length);
  bytes += part.substr(std::min(length + kDivider.size(), part.size()));
  return bytes;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const fuzz::ScratchFolder folder;
  const auto parts = fuzz::splitParts(fuzz::asText(data, size), 3);
  folder.write("model.safetensors.index.json", parts[0]);
  folder.write("a.safetensors", shard(parts[1]));
  folder.write("b.safetensors", shard(parts[2]));
  auto index = import_::CheckpointIndex::open(folder.path().string());
  if (!index)
    return fuzz::requireMessage(llvm::toString(index.takeError()), kPlaces), 0;
  for (llvm::StringRef name : index->getNames()) {
    const import_::TensorLocation *tensor = index->find(name);
    fuzz::require(tensor && tensor->file < index->getFiles().size(), "every tensor has a file");
    const uint64_t bytes = std::filesystem::file_size(index->getFiles()[tensor->file]);
    fuzz::require(tensor->offset <= bytes && tensor->bytes <= bytes - tensor->offset, "and lies inside it");
  }
  return 0;
}
