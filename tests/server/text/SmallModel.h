// A tokenizer small enough to follow by hand, in a temporary folder.
#pragma once

#include "server/text/Tokenizer.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kimi::text {

/// A fresh folder, removed at the end.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  const std::filesystem::path &path() const { return folder; }
  void write(std::string_view name, std::string_view text) const;
  std::string read(std::string_view name) const;

private:
  std::filesystem::path folder;
};

// Rank b is the single byte b; then these, in this order, from 256 on. K2's specials follow at the same
// distances from the last rank as in the real files.
inline const std::vector<std::string> kMerges = {"he", "ll", "hell",     "hello",
                                                 " w", "or", "\xE4\xBD", "\xE4\xBD\xA0"};
inline constexpr int kFirstSpecial = 264;
inline constexpr int kVocabSize = kFirstSpecial + 256;

inline constexpr int kEos = kFirstSpecial + 1;
inline constexpr int kImEnd = kFirstSpecial + 2;
inline constexpr int kImUser = kFirstSpecial + 3;
inline constexpr int kEot = kFirstSpecial + 9;
inline constexpr int kImMiddle = kFirstSpecial + 17;
inline constexpr int kThink = kFirstSpecial + 22;
inline constexpr int kThinkEnd = kFirstSpecial + 23;

std::string base64(std::string_view bytes);
std::string smallRanks();           // tiktoken.model
std::string smallTokenizerConfig(); // tokenizer_config.json

/// The folder with tiktoken.model, tokenizer_config.json and config.json.
void writeSmallModel(const TemporaryFolder &folder);

/// The loaded small tokenizer; the test ends if it does not load.
Tokenizer smallTokenizer();

} // namespace kimi::text
