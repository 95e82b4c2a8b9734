// How a checkpoint's files tell which chat layout it was trained on; README.md has the same rules as a table.
#include "server/text/ChatFormat.h"
#include "server/text/FileText.h"
#include "server/text/Json.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <optional>

namespace kimi::text {

namespace json = boost::json;

namespace {

namespace fs = std::filesystem;

std::unexpected<Error> unsure(const fs::path &folder, std::string_view reason) {
  return failure(fmt::format("{}: cannot tell the chat format: {}; say it with --chat-format, one of: {}",
                             folder.string(), reason, fmt::join(ChatFormat::names(), ", ")));
}

/// "chat_template" is text, or a list of named templates of which "default" is meant.
std::optional<std::string> templateIn(const json::object &tokenizerConfig) {
  const json::value *value = tokenizerConfig.if_contains("chat_template");
  if (!value)
    return std::nullopt;
  if (value->is_string())
    return std::string(value->get_string());
  const json::array *list = value->if_array();
  for (const json::value &item : list ? *list : json::array()) {
    const json::object *entry = item.if_object();
    const json::value *name = entry ? entry->if_contains("name") : nullptr;
    const json::value *text = entry ? entry->if_contains("template") : nullptr;
    if (name && *name == "default" && text && text->is_string())
      return std::string(text->get_string());
  }
  return std::nullopt;
}

/// What each release's template says and no other's does.
std::optional<std::string_view> formatOfTemplate(std::string_view text) {
  if (!text.contains("<|im_middle|>"))
    return std::nullopt;
  const bool hasKimiGreeting = text.contains("You are Kimi, an AI assistant created by Moonshot AI.");
  const bool hasOldGreeting = text.contains("You are a helpful assistant");
  const bool hasThink = text.contains("<think>");
  const bool hasToolCalls = text.contains("<|tool_calls_section_begin|>");
  if (text.contains("tools_ts_str") || text.contains("preserve_thinking"))
    return "k2.5";
  if (hasThink)
    return hasKimiGreeting ? "k2-thinking" : "k2.5";
  if (hasKimiGreeting)
    return "k2-instruct-0905";
  if (hasOldGreeting && !hasToolCalls)
    return "k2-2025-07-11";
  return std::nullopt;
}

bool namesToken(const json::object &tokenizerConfig, std::string_view name) {
  const json::value *names = tokenizerConfig.if_contains("added_tokens_decoder");
  const json::object *tokens = names ? names->if_object() : nullptr;
  for (const auto &[id, entry] : tokens ? *tokens : json::object())
    if (const json::object *token = entry.if_object())
      if (const json::value *content = token->if_contains("content"); content && content->is_string())
        if (content->get_string() == name)
          return true;
  return false;
}

std::string_view modelType(const json::object &config) {
  const json::value *type = config.if_contains("model_type");
  return type && type->is_string() ? std::string_view(type->get_string()) : std::string_view();
}

/// Without a template: model_type, then the special tokens that came with each release, then the context
/// length.
std::optional<std::string_view> formatOfModel(const json::object &config,
                                              const json::object &tokenizerConfig) {
  const std::string_view type = modelType(config);
  if (type == "kimi_k25")
    return "k2.5";
  if (type != "kimi_k2")
    return std::nullopt;
  if (namesToken(tokenizerConfig, "<think>"))
    return namesToken(tokenizerConfig, "<|media_begin|>") ? "k2.5" : "k2-thinking";
  const json::value *positions = config.if_contains("max_position_embeddings");
  if (positions && *positions == 262144)
    return "k2-instruct-0905";
  return std::nullopt;
}

} // namespace

Expected<ChatFormat> ChatFormat::detect(const fs::path &folder) {
  TRY_ASSIGN(const json::object tokenizerConfig, readJsonObject(folder / "tokenizer_config.json"));
  std::optional<std::string> chatTemplate = templateIn(tokenizerConfig);
  std::error_code ignored;
  if (const fs::path file = folder / "chat_template.jinja"; fs::exists(file, ignored)) {
    TRY_ASSIGN(chatTemplate, readFile(file));
  }
  if (chatTemplate) {
    if (const auto name = formatOfTemplate(*chatTemplate))
      return named(*name);
    return unsure(folder, "its chat template is none of the known ones");
  }
  TRY_ASSIGN(const json::object config, readJsonObject(folder / "config.json"));
  if (const auto name = formatOfModel(config, tokenizerConfig))
    return named(*name);
  return unsure(folder,
                fmt::format("there is no chat template, and model_type \"{}\" with these special tokens fits "
                            "several formats or none",
                            modelType(config)));
}

} // namespace kimi::text
