// What the server offers, by file: GenerateHandlers.cpp runs the model, TextHandlers.cpp only touches text,
// InfoHandlers.cpp says how the server is.
#pragma once

#include "server/http/Router.h"

namespace kimi::http {

/// POST /v1/chat/completions, /v1/completions
void addGenerateHandlers(Router &router, Service &service);
/// POST /tokenize, /detokenize, /v1/chat/completions/render
void addTextHandlers(Router &router, const Service &service);
/// GET /v1/models, /v1/models/NAME, /health, /version
void addInfoHandlers(Router &router, const Service &service);

} // namespace kimi::http
