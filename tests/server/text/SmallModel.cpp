#include "tests/server/text/SmallModel.h"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace kimi::text {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "kimi-text-XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw std::runtime_error("cannot make a temporary folder");
  folder = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

void TemporaryFolder::write(std::string_view name, std::string_view text) const {
  std::ofstream(folder / name, std::ios::binary) << text;
}

std::string TemporaryFolder::read(std::string_view name) const {
  std::ostringstream text;
  text << std::ifstream(folder / name, std::ios::binary).rdbuf();
  return text.str();
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    unsigned window = 0;
    for (size_t i = 0; i < 3; ++i)
      window = window << 8 | (i < group.size() ? uint8_t(group[i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      out += i <= group.size() ? kDigits[window >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string smallRanks() {
  std::string out;
  for (int byte = 0; byte < 256; ++byte)
    out += fmt::format("{} {}\n", base64(std::string(1, char(byte))), byte);
  for (size_t i = 0; i < kMerges.size(); ++i)
    out += fmt::format("{} {}\n", base64(kMerges[i]), 256 + i);
  return out;
}

std::string smallTokenizerConfig() {
  struct Named {
    int offset;
    const char *name;
    bool isHidden;
  };
  const Named specials[] = {{0, "[BOS]", true},
                            {1, "[EOS]", true},
                            {2, "<|im_end|>", true},
                            {3, "<|im_user|>", true},
                            {4, "<|im_assistant|>", true},
                            {9, "[EOT]", true},
                            {10, "<|im_system|>", true},
                            {11, "<|tool_calls_section_begin|>", false},
                            {12, "<|tool_calls_section_end|>", false},
                            {13, "<|tool_call_begin|>", false},
                            {14, "<|tool_call_argument_begin|>", false},
                            {15, "<|tool_call_end|>", false},
                            {17, "<|im_middle|>", true},
                            {22, "<think>", false},
                            {23, "</think>", false},
                            {257, "[BEYOND]", true}};
  std::string entries;
  for (const Named &special : specials)
    entries += fmt::format("{}\"{}\": {{\"content\": \"{}\", \"special\": {}}}", entries.empty() ? "" : ", ",
                           kFirstSpecial + special.offset, special.name, special.isHidden);
  return "{\"added_tokens_decoder\": {" + entries + "}}";
}

void writeSmallModel(const TemporaryFolder &folder) {
  folder.write("tiktoken.model", smallRanks());
  folder.write("tokenizer_config.json", smallTokenizerConfig());
  folder.write("config.json",
               fmt::format(R"({{"model_type": "kimi_k2", "vocab_size": {}, "max_position_embeddings": 4096,)"
                           R"( "eos_token_id": {}}})",
                           kVocabSize, kEos));
}

Tokenizer smallTokenizer() {
  const TemporaryFolder folder;
  writeSmallModel(folder);
  Expected<Tokenizer> tokenizer = Tokenizer::load(folder.path());
  if (!tokenizer)
    throw std::runtime_error(tokenizer.error().message);
  return std::move(*tokenizer);
}

} // namespace kimi::text
