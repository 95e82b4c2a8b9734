// Everything textual that a server needs of a checkpoint or artifact, loaded together.
//
//   auto text = kimi::text::ModelText::load("model.kimi");
//
// Thread rule: never changes after load; any number of threads may use one.
#pragma once

#include "server/text/ChatFormat.h"
#include "server/text/Tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace kimi::text {

/// Ids that an output parser looks for. Absent where the checkpoint's files do not name the token: then its
/// spelling is ordinary text.
struct Markers {
  std::optional<TokenId> imEnd;
  std::optional<TokenId> thinkBegin, thinkEnd;
  std::optional<TokenId> toolCallsSectionBegin, toolCallsSectionEnd;
  std::optional<TokenId> toolCallBegin, toolCallArgumentBegin, toolCallEnd;
};

struct ModelText {
  Tokenizer tokenizer;
  ChatFormat chatFormat;
  Markers markers;

  /// Ascending, no duplicates: eos_token_id of generation_config.json and config.json (an id or a list)
  /// together with
  /// <|im_end|>, [EOS] and [EOT] where the files name them. config.json alone is wrong for several releases.
  std::vector<TokenId> stopIds;

  int64_t contextLength = 0; // max_position_embeddings, in tokens

  bool isStop(TokenId id) const;

  /// `folder` is a checkpoint or an artifact NAME.kimi; `chatFormat` overrides detection (--chat-format).
  static Expected<ModelText> load(const std::filesystem::path &folder,
                                  std::optional<std::string_view> chatFormat = std::nullopt);
};

} // namespace kimi::text
