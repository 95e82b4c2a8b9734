// The body of /v1/chat/completions.
#pragma once

#include "server/api/Generation.h"

namespace kimi::api {

struct ChatRequest {
  Generation generation;
  std::string promptText; // as rendered; for /render
  std::vector<int32_t> prompt;
  bool startsInReasoning = false;

  /// Everything a client can get wrong is found here, before anything runs.
  static Result<ChatRequest> read(const boost::json::object &body, const ServedModel &model);
};

} // namespace kimi::api
