#include "server/api/TokenizeRequest.h"

#include <array>

namespace kimi::api {

namespace json = boost::json;

static json::array toJson(const std::vector<int32_t> &ids) { return json::array(ids.begin(), ids.end()); }

static Result<std::vector<int32_t>> idsToShow(Fields &fields, const json::object &body,
                                              const ServedModel &model) {
  if (fields.find("messages")) {
    Expected<text::Prompt> prompt = model.text.chatFormat.render(body);
    if (!prompt)
      return std::unexpected(ApiError::invalid("messages", prompt.error().message));
    return model.text.tokenizer.encode(prompt->pieces);
  }
  std::optional<std::string> prompt = fields.string("prompt");
  bool parseSpecial = fields.boolean("parse_special").value_or(true);
  if (!prompt)
    fields.fail("prompt", "prompt is missing; it must be a string (or give messages)");
  if (fields.error())
    return std::unexpected(*fields.error());
  return model.text.tokenizer.encode(*prompt,
                                     parseSpecial ? text::Specials::Recognised : text::Specials::Ignored);
}

Result<json::object> tokenize(const json::object &body, const ServedModel &model) {
  Fields fields(body);
  if (auto error = checkModel(fields, model))
    return std::unexpected(*error);
  bool wantsStrings = fields.boolean("return_token_strs").value_or(false);
  Result<std::vector<int32_t>> ids = idsToShow(fields, body, model);
  if (!ids)
    return std::unexpected(ids.error());
  json::value strings = nullptr;
  if (wantsStrings) {
    strings = json::array();
    for (int32_t id : *ids)
      strings.get_array().emplace_back(model.text.tokenizer.decode(std::array{id}).value_or(""));
  }
  return json::object{{"count", ids->size()},
                      {"max_model_len", model.limits.maxModelLen},
                      {"tokens", toJson(*ids)},
                      {"token_strs", std::move(strings)}};
}

Result<json::object> detokenize(const json::object &body, const ServedModel &model) {
  Fields fields(body);
  if (auto error = checkModel(fields, model))
    return std::unexpected(*error);
  if (!fields.find("tokens"))
    fields.fail("tokens", "tokens is missing; it must be a list of token ids");
  std::vector<int32_t> ids = fields.tokenIds("tokens", model.limits.vocabulary);
  if (fields.error())
    return std::unexpected(*fields.error());
  Expected<std::string> text = model.text.tokenizer.decode(ids);
  if (!text)
    return std::unexpected(ApiError::invalid("tokens", text.error().message));
  return json::object{{"prompt", std::move(*text)}};
}

Result<json::object> render(const json::object &body, const ServedModel &model) {
  Result<ChatRequest> request = ChatRequest::read(body, model);
  if (!request)
    return std::unexpected(request.error());
  return json::object{{"prompt", std::move(request->promptText)},
                      {"prompt_token_ids", toJson(request->prompt)},
                      {"count", request->prompt.size()},
                      {"max_model_len", model.limits.maxModelLen}};
}

} // namespace kimi::api
