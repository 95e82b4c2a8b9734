// Base64 with padding (RFC 4648, section 4), decoded strictly.
//
// Thread rule: free function.
#pragma once

#include <string>
#include <string_view>

namespace kimi::text {

/// Appends the decoded bytes. False, with `bytes` as it was, for anything but complete, padded base64.
bool appendBase64(std::string_view text, std::string &bytes);

} // namespace kimi::text
