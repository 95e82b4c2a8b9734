// A tiny checkpoint on disk whose config and tensors a test may bend before it is imported.
#pragma once

#include "compiler/import/Import.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/JSON.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kimi::test {

struct TestTensor {
  std::string name;
  std::string type;
  std::vector<int64_t> shape;
  std::string data = ""; // its bytes; empty: a hole
};

class TestCheckpoint {
public:
  /// A K2-like model: 4 layers, 1 of them dense, hidden 256, 640 tokens.
  TestCheckpoint();
  ~TestCheckpoint();

  /// The config's text model; `config` itself unless nested.
  llvm::json::Object config;
  std::vector<TestTensor> tensors;

  /// Fills `tensors` with what the config asks for, quantised where it lets them be.
  void listTensors();
  TestTensor &tensor(const std::string &name);
  void drop(const std::string &name);

  /// Writes config.json and model.safetensors.
  void write();
  /// Writes the same as two shards and an index.
  void writeShards();
  void writeText(const std::string &name, const std::string &text);

  std::string path(const std::string &name = "") const { return (folder / name).string(); }

  /// The module as text, or "error: ..".
  std::string import(const import_::ImportOptions &options = {}, std::vector<std::string> *notes = nullptr);

private:
  std::filesystem::path folder;
};

/// Two int32 as bytes: what weight_shape holds.
std::string shapeBytes(int32_t rows, int32_t columns);

/// Writes a safetensors file: the header of `tensors`, their data or as many zero bytes as they need.
void writeSafetensors(const std::string &path, const std::vector<TestTensor> &tensors);
/// Writes 8 bytes of `length`, `header`, and `dataBytes` zero bytes.
void writeRawSafetensors(const std::string &path, uint64_t length, const std::string &header, uint64_t dataBytes);

std::string importFolder(const std::string &folder, const import_::ImportOptions &options = {},
                         std::vector<std::string> *notes = nullptr);

} // namespace kimi::test
