// The body of /v1/completions.
#pragma once

#include "server/api/Generation.h"

namespace kimi::api {

struct CompletionRequest {
  Generation generation;
  std::vector<std::vector<int32_t>> prompts; // at least one, none empty
  bool echo = false; // the reply begins with the prompt, its log-probabilities included

  static Result<CompletionRequest> read(const boost::json::object &body, const ServedModel &model);
};

} // namespace kimi::api
