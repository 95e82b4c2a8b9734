// The ids above the ranks and their names.
//
// Thread rule: never changes after load; any number of threads may use one.
#pragma once

#include "server/text/Tokenizer.h"

#include <boost/json/object.hpp>

#include <array>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kimi::text {

class SpecialTokens {
public:
  /// Ids firstId <= id < vocabSize, named by added_tokens_decoder of a tokenizer_config.json. Names beyond
  /// vocabSize are left out: older tokenizer files name two ids that the embedding does not have.
  static Expected<SpecialTokens> read(const boost::json::object &tokenizerConfig, int64_t firstId,
                                      int64_t vocabSize);

  const SpecialToken *find(std::string_view name) const;
  const SpecialToken *find(TokenId id) const;

  struct Occurrence {
    size_t offset;
    const SpecialToken *token;
  };
  /// The first special token spelt in `text` at or after `from`; the longest of those that begin there.
  std::optional<Occurrence> findIn(std::string_view text, size_t from) const;

private:
  Status nameTokens(const boost::json::object &names, int64_t vocabSize);
  Status indexNames();

  TokenId firstId = 0;
  std::vector<SpecialToken> tokens; // by id - firstId
  std::unordered_map<std::string_view, size_t> byName;
  std::array<std::vector<size_t>, 256> byFirstByte; // longest name first
};

} // namespace kimi::text
