#include "server/text/ChatRequest.h"

#include "server/text/Json.h"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace kimi::text {

namespace json = boost::json;

namespace {

std::string_view kindOf(const json::value &value) {
  switch (value.kind()) {
  case json::kind::null:
    return "null";
  case json::kind::bool_:
    return "a boolean";
  case json::kind::string:
    return "a string";
  case json::kind::array:
    return "a list";
  case json::kind::object:
    return "an object";
  default:
    return "a number";
  }
}

std::unexpected<Error> wrongKind(std::string_view where, const json::value *found,
                                 std::string_view expected) {
  return failure(
      fmt::format("{}: found {}, expected {}", where, found ? kindOf(*found) : "nothing", expected));
}

/// Absent and null are the same: most clients send null for what they do not use.
const json::value *present(const json::object &object, std::string_view key) {
  const json::value *value = object.if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

Status readText(const json::object &object, std::string_view key, std::string_view where,
                std::string_view &text) {
  const json::value *value = present(object, key);
  if (value && !value->is_string())
    return wrongKind(fmt::format("{}.{}", where, key), value, "a string");
  if (value)
    text = value->get_string();
  return {};
}

Status readFlag(const json::object &object, std::string_view key, std::string_view where, bool &flag) {
  const json::value *value = present(object, key);
  if (value && !value->is_bool())
    return wrongKind(fmt::format("{}{}", where, key), value, "true or false");
  if (value)
    flag = value->get_bool();
  return {};
}

Expected<ContentPart> readPart(const json::value &value, std::string_view where) {
  const json::object *part = value.if_object();
  if (!part)
    return wrongKind(where, &value, "a part: {\"type\": \"text\", \"text\": …}");
  std::string_view type;
  TRY(readText(*part, "type", where, type));
  if (type == "image" || type == "image_url" || part->contains("image") || part->contains("image_url"))
    return ContentPart{PartKind::Image, {}};
  if (type == "video" || type == "video_url")
    return ContentPart{PartKind::Video, {}};
  const json::value *text = part->if_contains("text");
  if (!text || !text->is_string())
    return wrongKind(fmt::format("{}.text", where), text,
                     "a string (parts are text, image_url or video_url)");
  return ContentPart{PartKind::Text, text->get_string()};
}

Status readContent(const json::object &object, std::string_view where, std::vector<ContentPart> &content) {
  const json::value *value = present(object, "content");
  if (!value)
    return {};
  if (value->is_string()) {
    content.push_back({PartKind::Text, value->get_string()});
    return {};
  }
  if (!value->is_array())
    return wrongKind(fmt::format("{}.content", where), value, "a string, a list of parts or null");
  for (const json::value &item : value->get_array()) {
    TRY_ASSIGN(ContentPart part, readPart(item, fmt::format("{}.content[{}]", where, content.size())));
    content.push_back(part);
  }
  return {};
}

Expected<ToolCall> readToolCall(const json::value &value, std::string_view where) {
  const json::object *call = value.if_object();
  if (!call)
    return wrongKind(where, &value, "an object with id and function");
  ToolCall result;
  TRY(readText(*call, "id", where, result.id));
  if (result.id.empty())
    return wrongKind(fmt::format("{}.id", where), nullptr, "the call's id, like functions.get_weather:0");
  const json::value *function = present(*call, "function");
  if (!function || !function->is_object())
    return wrongKind(fmt::format("{}.function", where), function, "an object with name and arguments");
  const json::value *arguments = function->get_object().if_contains("arguments");
  if (!arguments)
    return wrongKind(fmt::format("{}.function.arguments", where), nullptr,
                     "the arguments as a string of JSON");
  // Text goes in verbatim: these are the tokens the model wrote. Anything else is printed as Python prints
  // it.
  result.arguments = arguments->is_string() ? std::string(arguments->get_string())
                                            : dumpJson(*arguments, JsonSpacing::Spaced);
  return result;
}

Status readToolCalls(const json::object &object, std::string_view where, std::vector<ToolCall> &calls) {
  const json::value *value = present(object, "tool_calls");
  if (!value)
    return {};
  if (!value->is_array())
    return wrongKind(fmt::format("{}.tool_calls", where), value, "a list of calls or null");
  for (const json::value &item : value->get_array()) {
    TRY_ASSIGN(ToolCall call, readToolCall(item, fmt::format("{}.tool_calls[{}]", where, calls.size())));
    calls.push_back(std::move(call));
  }
  return {};
}

Expected<ChatMessage> readMessage(const json::value &value, std::string_view where) {
  const json::object *object = value.if_object();
  if (!object)
    return wrongKind(where, &value, "an object with role and content");
  ChatMessage message;
  TRY(readText(*object, "role", where, message.role));
  if (message.role.empty())
    return wrongKind(fmt::format("{}.role", where), nullptr, "system, user, assistant or tool");
  TRY(readText(*object, "name", where, message.name));
  TRY(readText(*object, "tool_call_id", where, message.toolCallId));
  TRY(readText(*object, "reasoning_content", where, message.reasoningContent));
  message.reasoning = message.reasoningContent;
  TRY(readText(*object, "reasoning", where, message.reasoning));
  TRY(readContent(*object, where, message.content));
  TRY(readToolCalls(*object, where, message.toolCalls));
  return message;
}

Status readMessages(const json::object &request, std::vector<ChatMessage> &messages) {
  const json::value *list = present(request, "messages");
  if (!list || !list->is_array())
    return wrongKind("messages", list, "a list of messages");
  if (list->get_array().empty())
    return failure("messages: found an empty list, expected at least one message");
  for (const json::value &item : list->get_array()) {
    TRY_ASSIGN(ChatMessage message, readMessage(item, fmt::format("messages[{}]", messages.size())));
    messages.push_back(std::move(message));
  }
  return {};
}

/// The hosted API's form: {"type": "disabled"} or {"type": "enabled", "keep": "all"}; a plain boolean also
/// does.
Status readThinking(const json::object &request, ChatRequest &result) {
  const json::value *value = present(request, "thinking");
  if (!value || !value->is_object())
    return readFlag(request, "thinking", "", result.thinking);
  std::string_view type = "enabled", keep;
  TRY(readText(value->get_object(), "type", "thinking", type));
  TRY(readText(value->get_object(), "keep", "thinking", keep));
  if (type != "enabled" && type != "disabled")
    return failure(fmt::format("thinking.type: found \"{}\", expected \"enabled\" or \"disabled\"",
                               shortened(std::string(type))));
  if (!keep.empty() && keep != "all")
    return failure(fmt::format("thinking.keep: found \"{}\", expected \"all\" or null",
                               shortened(std::string(keep))));
  result.thinking = type == "enabled";
  result.preserveThinking = keep == "all";
  return {};
}

Status readOptions(const json::object &request, ChatRequest &result) {
  TRY(readThinking(request, result));
  TRY(readFlag(request, "add_generation_prompt", "", result.addGenerationPrompt));
  const json::value *options = present(request, "chat_template_kwargs");
  if (!options)
    return {};
  constexpr std::string_view kWhere = "chat_template_kwargs";
  if (!options->is_object())
    return wrongKind(kWhere, options, "an object");
  const std::string where = std::string(kWhere) + ".";
  TRY(readFlag(options->get_object(), "thinking", where, result.thinking));
  TRY(readFlag(options->get_object(), "preserve_thinking", where, result.preserveThinking));
  return readFlag(options->get_object(), "add_generation_prompt", where, result.addGenerationPrompt);
}

} // namespace

Expected<ChatRequest> ChatRequest::read(const json::object &request) {
  ChatRequest result;
  TRY(readMessages(request, result.messages));
  TRY(readOptions(request, result));
  const json::value *tools = present(request, "tools");
  if (tools && !tools->is_array())
    return wrongKind("tools", tools, "a list of tools or null");
  if (tools && !tools->get_array().empty())
    result.tools = tools;
  return result;
}

} // namespace kimi::text
