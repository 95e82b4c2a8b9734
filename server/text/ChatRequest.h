// The parts of an OpenAI-style chat request that a prompt is made of, checked.
//
// Thread rule: values. Views point into the request.
#pragma once

#include "runtime/base/Status.h"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace kimi::text {

enum class PartKind { Text, Image, Video };

struct ContentPart {
  PartKind kind = PartKind::Text;
  std::string_view text;
};

struct ToolCall {
  std::string_view id;
  std::string arguments; // as it goes into the prompt
};

struct ChatMessage {
  std::string_view role;
  std::string_view name;             // empty: none
  std::string_view reasoning;        // "reasoning", else "reasoning_content"; empty: none
  std::string_view reasoningContent; // "reasoning_content" alone, all that K2-Thinking reads
  std::string_view toolCallId;
  std::vector<ContentPart> content; // text as one part; null as none
  std::vector<ToolCall> toolCalls;

  bool isAssistant() const { return role == "assistant"; }
  bool isTool() const { return role == "tool"; }
};

struct ChatRequest {
  std::vector<ChatMessage> messages;
  const boost::json::value *tools = nullptr; // a list that is not empty, or nullptr
  bool addGenerationPrompt = true;
  bool thinking = true;
  bool preserveThinking = false;

  /// Errors name the message and the key, what stood there and what belongs there.
  static Expected<ChatRequest> read(const boost::json::object &request);
};

} // namespace kimi::text
