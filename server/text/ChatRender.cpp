// ChatFormat::render: one prompt builder for all layouts, and a table of what each does differently.
#include "server/text/ChatFormat.h"
#include "server/text/ChatRequest.h"
#include "server/text/Json.h"
#include "server/text/ToolDeclaration.h"

#include <array>
#include <fmt/format.h>

namespace kimi::text {

namespace {

enum class Reasoning { None, FromReasoningContent, FromEither };

/// What a layout does with the same conversation.
struct LayoutRules {
  std::string_view defaultSystem;      // a first turn for conversations without one; empty: none
  std::string_view afterDefaultSystem; // a quirk of the template's spacing
  JsonSpacing toolSpacing;
  bool declaresTypeScript; // tools as text first, as JSON where that fails
  bool hasTools;           // names in headers, tool calls, "## Return of"
  Reasoning reasoning;
  bool promptOpensThink;
  std::string_view mediaBegin;
  std::string_view afterMedia;
};

constexpr std::string_view kKimi = "You are Kimi, an AI assistant created by Moonshot AI.";

// In the order of ChatLayout. <|media_start|> is a special token of no release; the older templates write it
// anyway.
constexpr std::array<LayoutRules, 4> kRules = {{
    {"You are a helpful assistant", "", JsonSpacing::Spaced, false, false, Reasoning::None, false,
     "<|media_start|>", ""},
    {kKimi, "\n", JsonSpacing::Compact, false, true, Reasoning::None, false, "<|media_start|>", "\n"},
    {kKimi, "", JsonSpacing::Compact, false, true, Reasoning::FromReasoningContent, false, "<|media_start|>",
     "\n"},
    {"", "", JsonSpacing::Compact, true, true, Reasoning::FromEither, true, "<|media_begin|>", "\n"},
}};

class PromptBuilder {
public:
  PromptBuilder(const LayoutRules &rules, const ChatRequest &request) : rules(rules), request(request) {}

  Expected<Prompt> build() {
    if (request.tools)
      declareTools();
    if (!rules.defaultSystem.empty() && request.messages.front().role != "system") {
      addTurn("<|im_system|>", "system", rules.defaultSystem);
      addText(rules.afterDefaultSystem);
    }
    const size_t numHistory = countHistory();
    for (size_t i = 0; i < request.messages.size(); ++i) {
      const Status status = addMessage(request.messages[i], i < numHistory);
      if (!status)
        return failure(fmt::format("messages[{}]", i), status.error());
    }
    if (request.addGenerationPrompt)
      openAnswer();
    return std::move(prompt);
  }

private:
  void addMarkup(std::string_view markup) { prompt.pieces.push_back({std::string(markup), true}); }

  void addText(std::string_view text) {
    if (text.empty())
      return;
    if (prompt.pieces.empty() || prompt.pieces.back().isMarkup)
      prompt.pieces.push_back({});
    prompt.pieces.back().text += text;
  }

  void openTurn(std::string_view start, std::string_view name) {
    addMarkup(start);
    addText(name);
    addMarkup("<|im_middle|>");
  }

  void addTurn(std::string_view start, std::string_view name, std::string_view body) {
    openTurn(start, name);
    addText(body);
    addMarkup("<|im_end|>");
  }

  void declareTools() {
    const boost::json::value sorted = sortKeys(*request.tools);
    if (rules.declaresTypeScript)
      if (const Expected<std::string> declared = text::declareTools(sorted); declared && !declared->empty())
        return addTurn("<|im_system|>", "tool_declare", *declared);
    addTurn("<|im_system|>", "tool_declare", dumpJson(sorted, rules.toolSpacing));
  }

  /// Messages up to and including the last assistant message without tool calls: their reasoning is dropped.
  size_t countHistory() const {
    if (request.preserveThinking && rules.reasoning == Reasoning::FromEither)
      return 0;
    for (size_t i = request.messages.size(); i-- > 0;)
      if (request.messages[i].isAssistant() && request.messages[i].toolCalls.empty())
        return i + 1;
    return 0;
  }

  Status addMessage(const ChatMessage &message, bool isHistory) {
    TRY(checkMessage(message));
    const std::string_view start = message.role == "user"  ? "<|im_user|>"
                                   : message.isAssistant() ? "<|im_assistant|>"
                                                           : "<|im_system|>";
    openTurn(start, rules.hasTools && !message.name.empty() ? message.name : message.role);
    if (message.isAssistant() && rules.reasoning != Reasoning::None)
      addReasoning(message, isHistory);
    if (message.isTool() && rules.hasTools) {
      addText("## Return of ");
      addText(message.toolCallId);
      addText("\n");
    }
    for (const ContentPart &part : message.content)
      addPart(part);
    if (message.isAssistant() && !message.toolCalls.empty())
      addToolCalls(message.toolCalls);
    addMarkup("<|im_end|>");
    return {};
  }

  /// What the layout has no place for is an error: dropping it would change the conversation.
  Status checkMessage(const ChatMessage &message) const {
    if (rules.hasTools && message.isTool() && message.toolCallId.empty())
      return failure("a message of role tool has no tool_call_id; send the id of the call it answers");
    if (rules.hasTools)
      return {};
    if (!message.toolCalls.empty())
      return failure(
          "chat format k2-2025-07-11 cannot say tool_calls; start with --chat-format k2-instruct-0905");
    if (message.role != "system" && message.role != "user" && message.role != "assistant" &&
        message.role != "tool")
      return failure(fmt::format(
          "chat format k2-2025-07-11 has no role \"{}\"; use system, user, assistant or tool",
          shortened(std::string(message.role))));
    return {};
  }

  void addReasoning(const ChatMessage &message, bool isHistory) {
    const bool readsEither = rules.reasoning == Reasoning::FromEither;
    const bool isOff = readsEither && !request.thinking && !request.preserveThinking;
    addMarkup("<think>");
    if (!isHistory && !isOff)
      addText(readsEither ? message.reasoning : message.reasoningContent);
    addMarkup("</think>");
  }

  void addPart(const ContentPart &part) {
    if (part.kind == PartKind::Text)
      return addText(part.text);
    ++prompt.numMediaParts;
    if (part.kind == PartKind::Video && rules.declaresTypeScript) {
      addMarkup("<|kimi_k25_video_placeholder|>");
    } else {
      addMarkup(rules.mediaBegin);
      addText("image");
      addMarkup("<|media_content|>");
      addMarkup("<|media_pad|>");
      addMarkup("<|media_end|>");
    }
    addText(rules.afterMedia);
  }

  void addToolCalls(const std::vector<ToolCall> &calls) {
    addMarkup("<|tool_calls_section_begin|>");
    for (const ToolCall &call : calls) {
      addMarkup("<|tool_call_begin|>");
      addText(call.id);
      addMarkup("<|tool_call_argument_begin|>");
      addText(call.arguments);
      addMarkup("<|tool_call_end|>");
    }
    addMarkup("<|tool_calls_section_end|>");
  }

  void openAnswer() {
    openTurn("<|im_assistant|>", "assistant");
    if (!rules.promptOpensThink)
      return;
    addMarkup("<think>");
    prompt.startsInReasoning = request.thinking;
    if (!request.thinking)
      addMarkup("</think>");
  }

  const LayoutRules &rules;
  const ChatRequest &request;
  Prompt prompt;
};

} // namespace

Expected<Prompt> ChatFormat::render(const boost::json::object &request) const {
  TRY_ASSIGN(const ChatRequest chat, ChatRequest::read(request));
  return PromptBuilder(kRules[size_t(chatLayout)], chat).build();
}

} // namespace kimi::text
