#include "tests/golden/RandomCheckpoint.h"

#include "tests/golden/CounterRandom.h"
#include "tests/golden/GoldenData.h"
#include "tests/golden/QuantisedFill.h"
#include "tests/golden/TensorList.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <span>

namespace kimi::golden {
namespace {

using boost::json::object;
namespace fs = std::filesystem;

Status writeText(const fs::path &path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file)
    return failure(fmt::format("{}: cannot write {} bytes", path.string(), text.size()));
  return {};
}

/// The values of a weight, before they are stored.
std::vector<float> fillValues(const TensorPlan &tensor, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(tensor.numElements()));
  const uint64_t key = tensorKey(seed, tensor.name);
  const int64_t tailStart = tensor.tailRow * (tensor.numElements() / tensor.shape.front());
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const float sum = static_cast<float>(elementSum(key, static_cast<uint64_t>(i)));
    const float scaled = sum * (i < tailStart ? tensor.scale : tensor.tailScale);
    values[static_cast<size_t>(i)] = scaled + tensor.offset;
  }
  return values;
}

std::string fillPlain(std::span<const float> values, bool isFloat32) {
  std::string bytes(values.size() * (isFloat32 ? 4 : 2), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t rounded = roundToBf16(values[i]);
    if (isFloat32)
      std::memcpy(bytes.data() + 4 * i, &values[i], 4);
    else
      std::memcpy(bytes.data() + 2 * i, &rounded, 2);
  }
  return bytes;
}

/// The bytes of one tensor, little endian.
std::string fillTensor(const TensorPlan &tensor, uint64_t seed) {
  const std::vector<float> values = fillValues(tensor, seed);
  const Matrix matrix{values, tensor.shape.front(), tensor.shape.back()};
  switch (tensor.part) {
  case StoredPart::fp8Codes:
    return fillFloat8Codes(matrix);
  case StoredPart::fp8Scales:
    return fillFloat8Scales(matrix);
  case StoredPart::int4Codes:
    return fillInt4Codes(matrix);
  case StoredPart::int4Scales:
    return fillInt4Scales(matrix);
  case StoredPart::int4Shape:
    return fillInt4Shape(matrix);
  default:
    return fillPlain(values, tensor.part == StoredPart::f32);
  }
}

/// The safetensors header: its length in eight bytes, then JSON padded with spaces to a multiple of eight.
std::string writeHeader(std::span<const TensorPlan> tensors) {
  std::string json = R"({"__metadata__":{"format":"pt"})";
  int64_t offset = 0;
  for (const TensorPlan &tensor : tensors) {
    const int64_t end = offset + tensor.sizeBytes();
    json += fmt::format(R"(,"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", tensor.storedName(),
                        tensor.storedType(), fmt::join(tensor.storedShape(), ","), offset, end);
    offset = end;
  }
  json += '}';
  json.append((8 - json.size() % 8) % 8, ' ');
  const uint64_t length = json.size();
  std::string header(8, '\0');
  std::memcpy(header.data(), &length, 8);
  return header + json;
}

Status writeSafetensors(const fs::path &path, std::span<const TensorPlan> tensors, uint64_t seed) {
  std::string bytes = writeHeader(tensors);
  for (const TensorPlan &tensor : tensors)
    bytes += fillTensor(tensor, seed);
  return writeText(path, bytes);
}

/// Releases disagree on how shards are called; both spellings occur in the wild.
std::string shardName(bool isPlain, int shard, int numShards) {
  return isPlain ? fmt::format("model-{}-of-{}.safetensors", shard, numShards)
                 : fmt::format("model-{:05}-of-{:06}.safetensors", shard, numShards);
}

/// Shard k of N takes the tensors [k T / N, (k + 1) T / N) of the list.
Status writeShards(const fs::path &folder, std::span<const TensorPlan> tensors, const CheckpointOptions &options,
                   bool isPlain) {
  const size_t numShards = static_cast<size_t>(options.numShards);
  std::string map;
  int64_t total = 0;
  for (size_t shard = 0; shard < numShards; ++shard) {
    const size_t begin = shard * tensors.size() / numShards, end = (shard + 1) * tensors.size() / numShards;
    const std::string name = shardName(isPlain, static_cast<int>(shard) + 1, options.numShards);
    TRY(writeSafetensors(folder / name, tensors.subspan(begin, end - begin), options.seed));
    for (const TensorPlan &tensor : tensors.subspan(begin, end - begin)) {
      map += fmt::format("{}\n    \"{}\": \"{}\"", map.empty() ? "" : ",", tensor.storedName(), name);
      total += tensor.sizeBytes();
    }
  }
  return writeText(folder / "model.safetensors.index.json",
                   fmt::format("{{\n  \"metadata\": {{\"total_size\": {}}},\n  \"weight_map\": {{{}\n  }}\n}}\n", total, map));
}

void replaceAll(std::string &text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

QuantisedTraits quantisedTraits(const object &traits) {
  QuantisedTraits quantised;
  if (!traits.contains("quantised"))
    return quantised;
  quantised.kind = traits.at("quantised").as_string();
  for (const boost::json::value &suffix : traits.at("kept").as_array())
    quantised.kept.emplace_back(suffix.as_string());
  return quantised;
}

/// The first `numRanks` lines of tiktoken.model, and tokenizer_config.json with 256 specials behind them.
Status writeTokenizer(const fs::path &folder, std::string_view layout, int64_t numRanks, int64_t maxLength) {
  TRY_ASSIGN(const std::string_view ranks, goldenData("tiktoken.model"));
  size_t length = 0;
  for (int64_t i = 0; i < numRanks; ++i)
    length = ranks.find('\n', length) + 1;
  TRY(writeText(folder / "tiktoken.model", ranks.substr(0, length)));

  TRY_ASSIGN(const std::string_view form, goldenData(fmt::format("tokenizer_config-{}.json.in", layout)));
  TRY_ASSIGN(const std::string_view chat, goldenData(fmt::format("chat-template-{}.jinja", layout)));
  std::string chatTemplate(chat), config(form);
  replaceAll(chatTemplate, "\\", "\\\\");
  replaceAll(chatTemplate, "\"", "\\\"");
  replaceAll(chatTemplate, "\n", "\\n");
  replaceAll(config, "@CHAT_TEMPLATE@", chatTemplate);
  replaceAll(config, "@MODEL_MAX_LENGTH@", fmt::format("{}", maxLength));
  for (int64_t special = 0; special < 256; ++special)
    replaceAll(config, fmt::format("@{}@", special), fmt::format("{}", numRanks + special));
  return writeText(folder / "tokenizer_config.json", config);
}

} // namespace

std::vector<std::string> listFamilies() {
  const boost::json::value families = boost::json::parse(*goldenData("families.json"));
  std::vector<std::string> names;
  for (const auto &entry : families.as_object())
    names.emplace_back(entry.key());
  std::ranges::sort(names);
  return names;
}

Status writeRandomCheckpoint(std::string_view family, const fs::path &folder, const CheckpointOptions &options) {
  TRY_ASSIGN(const std::string_view familiesText, goldenData("families.json"));
  const boost::json::value families = boost::json::parse(familiesText);
  if (!families.as_object().contains(family))
    return failure(fmt::format("unknown family '{}': use one of {}", family, fmt::join(listFamilies(), ", ")));
  const object &traits = families.as_object().at(family).as_object();
  TRY_ASSIGN(const std::string_view configText, goldenData(fmt::format("{}.json", family)));
  const boost::json::value parsed = boost::json::parse(configText);
  const object &config = parsed.as_object();
  TRY_ASSIGN(const std::vector<TensorPlan> tensors, listTensors(config, quantisedTraits(traits)));
  if (options.numShards < 1 || static_cast<size_t>(options.numShards) > tensors.size())
    return failure(fmt::format("{} shards: the checkpoint can have 1 to {}", options.numShards, tensors.size()));

  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return failure(fmt::format("{}: cannot create the folder: {}", folder.string(), error.message()));
  const object &text = config.contains("text_config") ? config.at("text_config").as_object() : config;
  const int64_t numRanks = text.at("vocab_size").as_int64() - 256;
  TRY(writeText(folder / "config.json", configText));
  // As upstream, generation_config.json ends turns with <|im_end|> where config.json may say [EOS].
  TRY(writeText(folder / "generation_config.json",
                fmt::format("{{\n  \"bos_token_id\": {},\n  \"eos_token_id\": {}\n}}\n", numRanks, numRanks + 2)));
  TRY(writeTokenizer(folder, traits.at("layout").as_string(), numRanks, text.at("max_position_embeddings").as_int64()));
  if (options.numShards == 1)
    return writeSafetensors(folder / "model.safetensors", tensors, options.seed);
  return writeShards(folder, tensors, options, traits.at("shardName").as_string() == "plain");
}

} // namespace kimi::golden
