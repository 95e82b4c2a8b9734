// A tokenizer of 256 bytes and a few named tokens, written to a folder of the test's own: text id = byte.
#pragma once

#include "server/api/Generation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace kimi::test {

inline constexpr int32_t kEos = 257, kImEnd = 258, kToolSection = 264, kToolCall = 266, kThink = 269,
                         kThinkEnd = 270;
inline constexpr int32_t kVocabulary = 320;

inline std::string base64(unsigned char byte) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return {kDigits[byte >> 2], kDigits[(byte & 3) << 4], '=', '='};
}

class TinyModel {
public:
  explicit TinyModel(std::string_view chatFormat = "k2-instruct-0905") {
    static int counter = 0;
    folder = std::filesystem::temp_directory_path() / fmt::format("kimi-tiny-{}-{}", getpid(), counter++);
    std::filesystem::create_directories(folder);
    writeRanks();
    writeConfigs();
    Expected<text::ModelText> loaded = text::ModelText::load(folder, chatFormat);
    if (!loaded)
      throw std::runtime_error(loaded.error().message);
    text = std::make_unique<text::ModelText>(std::move(*loaded));
  }
  ~TinyModel() { std::filesystem::remove_all(folder); }

  api::ServedModel served(int64_t maxModelLen = 1024) const {
    return {.text = *text,
            .names = {"tiny", "kimi-tiny"},
            .fingerprint = "fp_fake",
            .created = 1700000000,
            .limits = {.maxModelLen = maxModelLen,
                       .vocabulary = kVocabulary,
                       .maxBiasEntries = 16,
                       .maxPenaltyEntries = 256}};
  }

  std::filesystem::path folder;
  std::unique_ptr<text::ModelText> text;

private:
  void writeRanks() {
    std::ofstream ranks(folder / "tiktoken.model");
    for (int byte = 0; byte < 256; ++byte)
      ranks << base64(static_cast<unsigned char>(byte)) << ' ' << byte << '\n';
  }

  void writeConfigs() {
    const char *names[] = {"[BOS]",
                           "[EOS]",
                           "<|im_end|>",
                           "<|im_user|>",
                           "<|im_assistant|>",
                           "<|im_system|>",
                           "<|im_middle|>",
                           "[EOT]",
                           "<|tool_calls_section_begin|>",
                           "<|tool_calls_section_end|>",
                           "<|tool_call_begin|>",
                           "<|tool_call_argument_begin|>",
                           "<|tool_call_end|>",
                           "<think>",
                           "</think>"};
    std::ofstream tokens(folder / "tokenizer_config.json");
    tokens << "{\"added_tokens_decoder\": {";
    for (int index = 0; index < 15; ++index)
      tokens << (index ? "," : "") << '"' << 256 + index << "\": {\"content\": \"" << names[index]
             << "\", \"special\": " << (index < 8 ? "true" : "false") << '}';
    tokens << "}}";
    std::ofstream(folder / "config.json")
        << "{\"vocab_size\": 320, \"max_position_embeddings\": 1024, \"eos_token_id\": 257}";
  }
};

inline std::vector<int32_t> bytesOf(std::string_view text) {
  std::vector<int32_t> ids;
  for (char byte : text)
    ids.push_back(static_cast<unsigned char>(byte));
  return ids;
}

} // namespace kimi::test
