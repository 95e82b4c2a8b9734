// The first bytes of a safetensors file: its header, and as many bytes of data as follow.
#include "compiler/import/Safetensors.h"
#include "tests/fuzz/Input.h"

using namespace kimi;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const fuzz::ScratchFolder folder;
  const std::string path = folder.write("model.safetensors", fuzz::asText(data, size)).string();
  auto tensors = import_::readSafetensorsHeader(path);
  if (!tensors)
    return fuzz::requireMessage(llvm::toString(tensors.takeError()), {"tensor \"", " key \"", "byte", "header is"}), 0;
  uint64_t end = size;
  for (const import_::TensorHeader &tensor : llvm::reverse(*tensors)) {
    uint64_t bytes = import_::dataTypeBytes(tensor.type);
    for (int64_t extent : tensor.shape)
      bytes *= uint64_t(extent);
    fuzz::require(bytes == tensor.bytes, "a tensor has the bytes that its shape needs");
    fuzz::require(tensor.offset + tensor.bytes == end, "tensors lie one after another up to the end of the file");
    end = tensor.offset;
  }
  return 0;
}
