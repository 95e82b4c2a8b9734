// /tokenize, /detokenize and /v1/chat/completions/render: text and ids, nothing run.
#pragma once

#include "server/api/ChatRequest.h"

namespace kimi::api {

/// {"prompt": TEXT} or {"messages": […]} → {"count", "max_model_len", "tokens"}. "parse_special": false keeps
/// the prompt's markup plain text; "return_token_strs": true adds "token_strs".
Result<boost::json::object> tokenize(const boost::json::object &body, const ServedModel &model);

/// {"tokens": […]} → {"prompt"}.
Result<boost::json::object> detokenize(const boost::json::object &body, const ServedModel &model);

/// A chat request → {"prompt", "prompt_token_ids", "count", "max_model_len"}.
Result<boost::json::object> render(const boost::json::object &body, const ServedModel &model);

} // namespace kimi::api
