#include "server/text/StreamDecoder.h"

#include "server/text/Utf8.h"

#include <utility>

namespace kimi::text {

std::string StreamDecoder::push(TokenId id) {
  const std::optional<std::string_view> bytes = tokenizer->bytes(id);
  if (!bytes)
    return {};
  const SpecialToken *special = tokenizer->special(id);
  if (skipSpecials && special && special->isHidden)
    return {};
  held += *bytes;
  SettledText settled = settleUtf8(held);
  held = std::move(settled.held);
  return std::move(settled.text);
}

std::string StreamDecoder::finish() { return replaceInvalidUtf8(std::exchange(held, {})); }

} // namespace kimi::text
