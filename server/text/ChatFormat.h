// From an OpenAI-style chat request to the prompt a Kimi-K2 checkpoint was trained on. README.md has the
// table of formats and how each one is recognised.
//
//   auto format = kimi::text::ChatFormat::detect("model.kimi");
//   auto prompt = format->render(request);        // request: the parsed body of /v1/chat/completions
//   auto ids = tokenizer.encode(prompt->pieces);
//
// Thread rule: values, freely copied.
#pragma once

#include "runtime/base/Status.h"
#include "server/text/TextPiece.h"

#include <boost/json/object.hpp>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kimi::text {

struct Prompt {
  /// Markup and text in turn. Encode these with Tokenizer::encode(pieces): then nothing that a user, a tool
  /// or a model wrote can become a control token.
  std::vector<TextPiece> pieces;

  /// The prompt ends inside <think>: what the model writes first is reasoning, without an opening <think>.
  bool startsInReasoning = false;

  /// Image and video parts among the messages, rendered as the layout's media markers. A model without vision
  /// must refuse the request when this is not 0.
  int numMediaParts = 0;

  /// The pieces joined, as the checkpoint's own template renders it. Encoding this with Specials::Recognised
  /// gives Hugging Face's ids, including its weakness: text that spells a control token becomes one.
  std::string text() const;
};

enum class ChatLayout { K2July2025, K2Instruct0905, K2Thinking, K25 };

class ChatFormat {
public:
  /// The values of --chat-format: k2-2025-07-11, k2-instruct-0905, k2-thinking, k2.5.
  static std::span<const std::string_view> names();
  static Expected<ChatFormat> named(std::string_view name);

  /// Reads chat_template.jinja, tokenizer_config.json and config.json in a checkpoint's or artifact's folder.
  /// When they do not say, the error lists the formats and names --chat-format.
  static Expected<ChatFormat> detect(const std::filesystem::path &folder);

  std::string_view name() const;
  ChatLayout layout() const { return chatLayout; }

  /// Whether assistant turns of this format carry <think>…</think>.
  bool hasReasoning() const { return chatLayout == ChatLayout::K2Thinking || chatLayout == ChatLayout::K25; }

  /// Reads of the request: messages, tools, add_generation_prompt (default true),
  /// chat_template_kwargs.{thinking, preserve_thinking, add_generation_prompt}, thinking ({"type":
  /// "disabled"}, {"keep": "all"} or a boolean). Other keys are not looked at. Errors name the message and
  /// the key.
  Expected<Prompt> render(const boost::json::object &request) const;

private:
  explicit ChatFormat(ChatLayout layout) : chatLayout(layout) {}
  ChatLayout chatLayout;
};

} // namespace kimi::text
