// The body of /v1/chat/completions, rendered in every chat format and read as the server reads it.
#include "server/api/ChatRequest.h"
#include "server/text/Json.h"
#include "tests/fuzz/ApiMessage.h"
#include "tests/server/TinyModel.h"

#include <boost/json.hpp>

using namespace kimi;

/// The control tokens of the ids are those that the layout wrote, one for one: nothing that a user wrote became one.
static void checkPrompt(const text::Prompt &prompt, const text::Tokenizer &tokenizer) {
  std::vector<text::TokenId> expected, found;
  std::string joined;
  for (const text::TextPiece &piece : prompt.pieces) {
    joined += piece.text;
    if (const text::SpecialToken *token = piece.isMarkup ? tokenizer.special(piece.text) : nullptr)
      expected.push_back(token->id);
  }
  fuzz::require(joined == prompt.text(), "the text is the pieces, joined");
  const std::vector<text::TokenId> ids = tokenizer.encode(prompt.pieces);
  for (text::TokenId id : ids)
    if (tokenizer.special(id))
      found.push_back(id);
  fuzz::require(found == expected, "control tokens are the layout's");
  const Expected<std::string> decoded = tokenizer.decode(ids);
  fuzz::require(decoded && *decoded == joined, "the ids spell the text");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const test::TinyModel model;
  const Expected<boost::json::value> body = text::parseJson(fuzz::asText(data, size));
  if (!body)
    return fuzz::requireMessage(body.error().message, {"at byte "}), 0;
  if (!body->is_object())
    return 0;
  for (std::string_view name : text::ChatFormat::names())
    if (const auto prompt = text::ChatFormat::named(name)->render(body->get_object()))
      checkPrompt(*prompt, model.text->tokenizer);
    else
      fuzz::requireMessage(prompt.error().message,
                           {"messages", "tools", "thinking", "add_generation_prompt", "chat_template_kwargs"});
  const api::ServedModel served = model.served();
  const auto request = api::ChatRequest::read(body->get_object(), served);
  if (!request)
    return fuzz::requireApiMessage(request.error()), 0;
  fuzz::require(int64_t(request->prompt.size()) < served.limits.maxModelLen, "there is room for a token");
  for (int64_t choice = 0; choice < request->generation.numChoices; ++choice)
    api::makeRequest(request->generation, request->prompt, choice, served);
  return 0;
}
