#include "server/api/ChatRequest.h"

#include <fmt/format.h>

namespace kimi::api {

namespace json = boost::json;

static void readLogprobs(Fields &fields, Generation &generation) {
  generation.wantsLogprobs = fields.boolean("logprobs").value_or(false);
  std::optional<int64_t> numTop = fields.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (numTop.value_or(0) > 0 && !generation.wantsLogprobs)
    return fields.fail("top_logprobs", "top_logprobs needs logprobs to be true");
  generation.sampling.numTopLogprobs = static_cast<int32_t>(numTop.value_or(0));
}

static void readMaxTokens(Fields &fields, Generation &generation) {
  std::optional<int64_t> oldName = fields.integer("max_tokens", 1, INT64_MAX);
  std::optional<int64_t> newName = fields.integer("max_completion_tokens", 1, INT64_MAX);
  generation.maxTokens = newName ? newName : oldName;
}

// What would need constrained decoding is refused: a reply that only looks as asked would be worse than none.
static void checkConstraints(Fields &fields) {
  if (const json::object *format = fields.object("response_format")) {
    const json::value *type = format->if_contains("type");
    if (!type || *type != "text")
      fields.fail("response_format", fmt::format("response_format.type is {}; this server can do \"text\"",
                                                 type ? shown(*type) : "missing"));
  }
  if (const json::value *choice = fields.find("tool_choice");
      choice && *choice != "auto" && *choice != "none")
    fields.fail("tool_choice",
                fmt::format("tool_choice is {}; this server can do \"auto\" and \"none\"", shown(*choice)));
}

static Result<ChatRequest> renderPrompt(const json::object &body, const ServedModel &model,
                                        ChatRequest request) {
  Expected<text::Prompt> prompt = model.text.chatFormat.render(body);
  if (!prompt) {
    // It begins with what is wrong: "messages[2].content: ..", "tools: ..".
    const std::string &message = prompt.error().message;
    return std::unexpected(ApiError::invalid(message.substr(0, message.find_first_of("[.:")), message));
  }
  if (prompt->numMediaParts > 0)
    return std::unexpected(ApiError::invalid(
        "messages", fmt::format("messages hold {} images or videos; this server reads text only",
                                prompt->numMediaParts)));
  // By pieces: nothing that a user wrote can become a control token.
  request.prompt = model.text.tokenizer.encode(prompt->pieces);
  request.promptText = prompt->text();
  request.startsInReasoning = prompt->startsInReasoning;
  if (auto error = checkPromptLength("messages", request.prompt.size(), 1, model))
    return std::unexpected(*error);
  return request;
}

Result<ChatRequest> ChatRequest::read(const json::object &body, const ServedModel &model) {
  Fields fields(body);
  if (auto error = checkModel(fields, model))
    return std::unexpected(*error);
  const json::value *messages = fields.find("messages");
  if (!messages)
    fields.fail("messages", "messages is missing; it must be a list of at least one message");
  else if (!messages->is_array() || messages->get_array().empty())
    fields.fail("messages",
                fmt::format("messages is {}; it must be a list of at least one message", shown(*messages)));
  ChatRequest request;
  request.generation = readGeneration(fields, model);
  readLogprobs(fields, request.generation);
  readMaxTokens(fields, request.generation);
  checkConstraints(fields);
  if (fields.error())
    return std::unexpected(*fields.error());
  return renderPrompt(body, model, std::move(request));
}

} // namespace kimi::api
