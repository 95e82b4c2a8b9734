#include "tests/compiler/import/TestCheckpoint.h"

#include "compiler/import/QuantisedWeights.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <unistd.h>

namespace kimi::test {

using llvm::json::Object;

static Object tinyConfig() {
  return Object{{"model_type", "kimi_k2"},
                {"vocab_size", 640},
                {"hidden_size", 256},
                {"num_hidden_layers", 4},
                {"max_position_embeddings", 4096},
                {"first_k_dense_replace", 1},
                {"intermediate_size", 512},
                {"rms_norm_eps", 1e-5},
                {"tie_word_embeddings", false},
                {"hidden_act", "silu"},
                {"num_attention_heads", 4},
                {"num_key_value_heads", 4},
                {"q_lora_rank", 96},
                {"kv_lora_rank", 32},
                {"qk_nope_head_dim", 24},
                {"qk_rope_head_dim", 16},
                {"v_head_dim", 24},
                {"attention_bias", false},
                {"n_routed_experts", 16},
                {"n_shared_experts", 1},
                {"num_experts_per_tok", 4},
                {"moe_intermediate_size", 64},
                {"moe_layer_freq", 1},
                {"n_group", 1},
                {"topk_group", 1},
                {"norm_topk_prob", true},
                {"routed_scaling_factor", 2.827},
                {"scoring_func", "sigmoid"},
                {"topk_method", "noaux_tc"},
                {"num_nextn_predict_layers", 0},
                {"rope_theta", 50000.0},
                {"rope_scaling", Object{{"type", "yarn"},
                                        {"factor", 32.0},
                                        {"original_max_position_embeddings", 4096},
                                        {"beta_fast", 1.0},
                                        {"beta_slow", 1.0},
                                        {"mscale", 1.0},
                                        {"mscale_all_dim", 1.0}}}};
}

std::string shapeBytes(int32_t rows, int32_t columns) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &rows, 4);
  std::memcpy(bytes.data() + 4, &columns, 4);
  return bytes;
}

static std::string print(llvm::json::Value value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

TestCheckpoint::TestCheckpoint() : config(tinyConfig()) {
  static int count = 0;
  const auto *test = ::testing::UnitTest::GetInstance()->current_test_info();
  folder = std::filesystem::temp_directory_path() / ("kimi-import-" + std::to_string(getpid()) + "-" +
                                                     std::string(test ? test->name() : "") + std::to_string(count++));
  std::filesystem::create_directories(folder);
  listTensors();
}

TestCheckpoint::~TestCheckpoint() {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

void TestCheckpoint::listTensors() {
  tensors.clear();
  llvm::Expected<import_::ModelConfig> parsed = import_::parseModelConfig(print(Object(config)), "config.json");
  if (!parsed)
    return llvm::consumeError(parsed.takeError());
  llvm::Expected<std::vector<import_::WeightSpec>> weights =
      import_::quantiseWeights(import_::listWeights(*parsed), *parsed, nullptr);
  if (!weights)
    return llvm::consumeError(weights.takeError());
  for (const import_::WeightSpec &weight : *weights)
    for (int64_t layer = 0; layer < std::max<int64_t>(weight.numLayers, 1); ++layer)
      for (int64_t expert = 0; expert < std::max<int64_t>(weight.experts, 1); ++expert) {
        const std::string name = import_::nameOf(weight, weight.firstLayer + layer, expert);
        if (llvm::any_of(tensors, [&](const TestTensor &tensor) { return tensor.name == name; }))
          continue; // kv_b_proj serves two weights
        tensors.push_back({name, import_::dataTypeName(weight.type).str(),
                           {weight.sourceShape.begin(), weight.sourceShape.end()}});
        if (import_::holdsPackedValues(weight))
          tensors.push_back({import_::shapeTensorOf(name), "I32", {2},
                             shapeBytes(static_cast<int32_t>(weight.sourceShape[0]),
                                        static_cast<int32_t>(weight.sourceShape[1] * 8))});
      }
}

TestTensor &TestCheckpoint::tensor(const std::string &name) {
  auto found = llvm::find_if(tensors, [&](const TestTensor &tensor) { return tensor.name == name; });
  EXPECT_NE(found, tensors.end()) << name;
  return *found;
}

void TestCheckpoint::drop(const std::string &name) {
  std::erase_if(tensors, [&](const TestTensor &tensor) { return tensor.name == name; });
}

void TestCheckpoint::writeText(const std::string &name, const std::string &text) {
  std::ofstream(path(name), std::ios::binary) << text;
}

void TestCheckpoint::write() {
  writeText("config.json", print(Object(config)));
  writeSafetensors(path("model.safetensors"), tensors);
}

void TestCheckpoint::writeShards() {
  writeText("config.json", print(Object(config)));
  const size_t half = tensors.size() / 2;
  Object map;
  for (size_t i = 0; i < tensors.size(); ++i)
    map[tensors[i].name] = i < half ? "model-1-of-2.safetensors" : "model-2-of-2.safetensors";
  writeSafetensors(path("model-1-of-2.safetensors"), {tensors.begin(), tensors.begin() + half});
  writeSafetensors(path("model-2-of-2.safetensors"), {tensors.begin() + half, tensors.end()});
  writeText("model.safetensors.index.json", print(Object{{"weight_map", std::move(map)}}));
}

std::string TestCheckpoint::import(const import_::ImportOptions &options, std::vector<std::string> *notes) {
  write();
  return importFolder(folder.string(), options, notes);
}

std::string importFolder(const std::string &folder, const import_::ImportOptions &options,
                         std::vector<std::string> *notes) {
  mlir::MLIRContext context;
  auto module = import_::importCheckpoint(context, folder, options, notes);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (module)
    (*module)->print(stream);
  else
    stream << "error: " << llvm::toString(module.takeError());
  return text;
}

void writeRawSafetensors(const std::string &path, uint64_t length, const std::string &header, uint64_t dataBytes) {
  {
    std::ofstream file(path, std::ios::binary);
    for (int byte = 0; byte < 8; ++byte)
      file.put(static_cast<char>(length >> (8 * byte)));
    file << header;
  }
  std::filesystem::resize_file(path, 8 + header.size() + dataBytes);
}

void writeSafetensors(const std::string &path, const std::vector<TestTensor> &tensors) {
  Object header{{"__metadata__", Object{{"format", "pt"}}}};
  int64_t offset = 0;
  for (const TestTensor &tensor : tensors) {
    int64_t bytes = static_cast<int64_t>(import_::dataTypeBytes(*import_::parseDataType(tensor.type)));
    for (int64_t size : tensor.shape)
      bytes *= size;
    header[tensor.name] = Object{{"dtype", tensor.type},
                                 {"shape", llvm::json::Array(tensor.shape)},
                                 {"data_offsets", llvm::json::Array{offset, offset + bytes}}};
    offset += bytes;
  }
  const std::string text = print(Object(header));
  writeRawSafetensors(path, text.size(), text, static_cast<uint64_t>(offset));
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (const TestTensor &tensor : tensors)
    if (!tensor.data.empty()) {
      const int64_t begin = *header.getObject(tensor.name)->getArray("data_offsets")->front().getAsInteger();
      file.seekp(static_cast<std::streamoff>(8 + text.size()) + begin);
      file << tensor.data;
    }
}

} // namespace kimi::test
