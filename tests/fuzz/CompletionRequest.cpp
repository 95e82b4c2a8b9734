// The body of /v1/completions.
#include "server/api/CompletionRequest.h"
#include "server/text/Json.h"
#include "tests/fuzz/ApiMessage.h"
#include "tests/server/TinyModel.h"

#include <boost/json.hpp>

using namespace kimi;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const test::TinyModel model;
  const Expected<boost::json::value> body = text::parseJson(fuzz::asText(data, size));
  if (!body)
    return fuzz::requireMessage(body.error().message, {"at byte "}), 0;
  if (!body->is_object())
    return 0;
  const api::ServedModel served = model.served();
  const auto request = api::CompletionRequest::read(body->get_object(), served);
  if (!request)
    return fuzz::requireApiMessage(request.error()), 0;
  fuzz::require(!request->prompts.empty(), "there is a prompt");
  for (const std::vector<int32_t> &prompt : request->prompts) {
    fuzz::require(!prompt.empty(), "no prompt is empty");
    for (int32_t id : prompt)
      fuzz::require(id >= 0 && id < test::kVocabulary, "ids lie in the vocabulary");
    for (int64_t choice = 0; choice < request->generation.numChoices; ++choice)
      api::makeRequest(request->generation, prompt, choice, served);
  }
  return 0;
}
