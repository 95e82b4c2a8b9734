#include "server/text/ChatFormat.h"

#include "server/text/Json.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace kimi::text {

namespace {

constexpr std::string_view kOld = "k2-2025-07-11", kInstruct = "k2-instruct-0905", kThinking = "k2-thinking",
                           kNew = "k2.5";

Expected<Prompt> renderPrompt(std::string_view format, std::string_view request) {
  return ChatFormat::named(format)->render(parseJson(request)->as_object());
}

std::string render(std::string_view format, std::string_view request) {
  const Expected<Prompt> prompt = renderPrompt(format, request);
  return prompt ? prompt->text() : "error: " + prompt.error().message;
}

/// The same for messages alone, without the default turn and the generation prompt of the layout.
std::string renderTurns(std::string_view format, std::string_view messages) {
  const std::string system = R"({"role": "system", "content": "S"})";
  const std::string text = render(format, R"({"add_generation_prompt": false, "messages": [)" + system +
                                              ", " + std::string(messages) + "]}");
  const std::string_view begin = "<|im_system|>system<|im_middle|>S<|im_end|>";
  return text.starts_with(begin) ? text.substr(begin.size()) : text;
}

const std::string kCall =
    R"({"role": "assistant", "content": null, "reasoning_content": "because", "tool_calls": [
    {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
    {"id": "functions.g:1", "type": "function", "function": {"name": "g", "arguments": {"b": [1.0, "é"]}}}]})";

const std::string kCallsText =
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"a\":1}"
    "<|tool_call_end|><|tool_call_begin|>functions.g:1<|tool_call_argument_begin|>{\"b\": [1.0, \"é\"]}"
    "<|tool_call_end|><|tool_calls_section_end|><|im_end|>";

} // namespace

TEST(ChatFormat, NamesAndLayouts) {
  ASSERT_EQ(ChatFormat::names().size(), 4u);
  for (std::string_view name : ChatFormat::names())
    EXPECT_EQ(ChatFormat::named(name)->name(), name);
  EXPECT_FALSE(ChatFormat::named(kInstruct)->hasReasoning());
  EXPECT_TRUE(ChatFormat::named(kThinking)->hasReasoning());
  const auto unknown = ChatFormat::named("chatml");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message,
            "unknown chat format \"chatml\"; choose one of: k2-2025-07-11, k2-instruct-0905, "
            "k2-thinking, k2.5");
}

TEST(ChatFormat, DefaultSystemTurn) {
  const char *request =
      R"({"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": false})";
  const std::string user = "<|im_user|>user<|im_middle|>Hi<|im_end|>";
  const std::string kimi =
      "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI.<|im_end|>";
  EXPECT_EQ(render(kOld, request),
            "<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>" + user);
  EXPECT_EQ(render(kInstruct, request), kimi + "\n" + user);
  EXPECT_EQ(render(kThinking, request), kimi + user);
  EXPECT_EQ(render(kNew, request), user);
}

TEST(ChatFormat, ToolCallsAndResults) {
  EXPECT_EQ(renderTurns(kInstruct, kCall), "<|im_assistant|>assistant<|im_middle|>" + kCallsText);
  EXPECT_EQ(renderTurns(kThinking, kCall),
            "<|im_assistant|>assistant<|im_middle|><think>because</think>" + kCallsText);
  const char *result = R"({"role": "tool", "tool_call_id": "functions.f:0", "content": "42"})";
  EXPECT_EQ(renderTurns(kInstruct, result),
            "<|im_system|>tool<|im_middle|>## Return of functions.f:0\n42<|im_end|>");
  EXPECT_EQ(renderTurns(kOld, result), "<|im_system|>tool<|im_middle|>42<|im_end|>");
}

TEST(ChatFormat, ReasoningIsKeptAfterTheLastAnswer) {
  const std::string messages = R"({"role": "assistant", "content": "A", "reasoning_content": "old"},
                                  {"role": "user", "content": "Q"}, )" +
                               kCall;
  const std::string answer = "<|im_assistant|>assistant<|im_middle|><think></think>A<|im_end|>";
  const std::string question =
      "<|im_user|>user<|im_middle|>Q<|im_end|><|im_assistant|>assistant<|im_middle|>";
  for (std::string_view format : {kThinking, kNew})
    EXPECT_EQ(renderTurns(format, messages), answer + question + "<think>because</think>" + kCallsText);
  // A later answer drops it.
  const std::string later = messages + R"(, {"role": "assistant", "content": "B"})";
  EXPECT_EQ(renderTurns(kNew, later), answer + question + "<think></think>" + kCallsText +
                                          "<|im_assistant|>assistant<|im_middle|><think></think>B<|im_end|>");
}

TEST(ChatFormat, ReasoningUnderEitherName) {
  const char *messages = R"({"role": "assistant", "reasoning": "R", "reasoning_content": "C",
      "tool_calls": [{"id": "x:0", "function": {"name": "x", "arguments": ""}}]})";
  EXPECT_TRUE(renderTurns(kNew, messages).contains("<think>R</think>"));
  EXPECT_TRUE(renderTurns(kThinking, messages).contains("<think>C</think>"));
}

TEST(ChatFormat, ThinkingSwitches) {
  const auto end = [](std::string_view option) {
    const std::string text =
        render(kNew, R"({"messages": [{"role": "user", "content": "Q"}], )" + std::string(option) + "}");
    const size_t at = text.find("<|im_assistant|>");
    return at == std::string::npos ? text : text.substr(at);
  };
  const std::string open = "<|im_assistant|>assistant<|im_middle|><think>";
  EXPECT_EQ(end(R"("stream": true)"), open);
  EXPECT_EQ(end(R"("chat_template_kwargs": {"thinking": false})"), open + "</think>");
  EXPECT_EQ(end(R"("thinking": {"type": "disabled"})"), open + "</think>");
  EXPECT_EQ(end(R"("thinking": {"type": "enabled"})"), open);
  EXPECT_EQ(end(R"("thinking": false)"), open + "</think>");
  EXPECT_EQ(end(R"("thinking": {"type": "off"})"),
            "error: thinking.type: found \"off\", expected \"enabled\" or \"disabled\"");
  EXPECT_EQ(end(R"("chat_template_kwargs": {"thinking": 1})"),
            "error: chat_template_kwargs.thinking: found a number, expected true or false");
}

TEST(ChatFormat, StartsInReasoning) {
  const std::string begin = R"({"messages": [{"role": "user", "content": "Q"}], )";
  EXPECT_TRUE(renderPrompt(kNew, begin + R"("tools": []})")->startsInReasoning);
  EXPECT_FALSE(renderPrompt(kNew, begin + R"("thinking": false})")->startsInReasoning);
  EXPECT_FALSE(renderPrompt(kThinking, begin + R"("tools": null})")->startsInReasoning);
}

TEST(ChatFormat, PreserveThinkingKeepsAllReasoning) {
  const std::string request = R"({"messages": [{"role": "assistant", "content": "A", "reasoning": "old"}],
                                  "add_generation_prompt": false, "chat_template_kwargs": {"preserve_thinking": true}})";
  EXPECT_EQ(render(kNew, request), "<|im_assistant|>assistant<|im_middle|><think>old</think>A<|im_end|>");
  EXPECT_TRUE(render(kThinking, request).contains("<think></think>A"));
}

TEST(ChatFormat, ToolsAreSortedAndFallBackToJson) {
  const char *request = R"({"messages": [{"role": "system", "content": "S"}], "add_generation_prompt": false,
      "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"p": {"description": "<é>"}}}}}]})";
  EXPECT_TRUE(
      render(kOld, request)
          .starts_with(
              R"(<|im_system|>tool_declare<|im_middle|>[{"function": {"name": "f", "parameters": {"properties": {"p": )"));
  const std::string json = R"(<|im_system|>tool_declare<|im_middle|>[{"function":{"name":"f","parameters":)"
                           R"({"properties":{"p":{"description":"<é>"}}}},"type":"function"}]<|im_end|>)";
  EXPECT_TRUE(render(kInstruct, request).starts_with(json));
  EXPECT_TRUE(render(kNew, request).starts_with(json)); // a schema without a type has no TypeScript form
}

TEST(ChatFormat, MediaPartsBecomeMarkersAndAreCounted) {
  const std::string user = R"({"role": "user", "content": [{"type": "text", "text": "a"},
      {"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "b"}]})";
  EXPECT_EQ(renderTurns(kNew, user), "<|im_user|>user<|im_middle|>a<|media_begin|>image<|media_content|>"
                                     "<|media_pad|><|media_end|>\nb<|im_end|>");
  EXPECT_TRUE(renderTurns(kThinking, user).contains("a<|media_start|>image<|media_content|><|media_pad|>"));
  EXPECT_EQ(renderPrompt(kNew, R"({"messages": [)" + user + "]}")->numMediaParts, 1);
}

TEST(ChatFormat, OnlyTheLayoutWritesMarkup) {
  const auto prompt =
      renderPrompt(kNew, R"({"messages": [{"role": "user", "name": "<|im_end|>", "content": "</think>"}]})");
  ASSERT_GE(prompt->pieces.size(), 5u);
  EXPECT_FALSE(prompt->pieces[1].isMarkup); // the name
  EXPECT_FALSE(prompt->pieces[3].isMarkup); // the content
  EXPECT_TRUE(prompt->pieces[4].isMarkup);  // the layout's own <|im_end|>
}

TEST(ChatFormat, ErrorsNameTheMessageAndTheKey) {
  const auto error = [](std::string_view messages) {
    return render(kInstruct, R"({"messages": )" + std::string(messages) + "}");
  };
  EXPECT_EQ(render(kInstruct, "{}"), "error: messages: found nothing, expected a list of messages");
  EXPECT_EQ(error("{}"), "error: messages: found an object, expected a list of messages");
  EXPECT_EQ(error("[]"), "error: messages: found an empty list, expected at least one message");
  EXPECT_EQ(error("[1]"), "error: messages[0]: found a number, expected an object with role and content");
  EXPECT_EQ(error("[{}]"),
            "error: messages[0].role: found nothing, expected system, user, assistant or tool");
  EXPECT_EQ(error(R"([{"role": 1}])"), "error: messages[0].role: found a number, expected a string");
  EXPECT_EQ(error(R"([{"role": "user", "content": 1}])"),
            "error: messages[0].content: found a number, expected a string, a list of parts or null");
  EXPECT_EQ(
      error(R"([{"role": "user", "content": ["a"]}])"),
      "error: messages[0].content[0]: found a string, expected a part: {\"type\": \"text\", \"text\": …}");
  EXPECT_EQ(
      error(R"([{"role": "user", "content": [{"type": "text"}]}])"),
      "error: messages[0].content[0].text: found nothing, expected a string (parts are text, image_url or "
      "video_url)");
  EXPECT_EQ(
      error(R"([{"role": "tool", "content": "x"}])"),
      "error: messages[0]: a message of role tool has no tool_call_id; send the id of the call it answers");
}

TEST(ChatFormat, ErrorsInToolCalls) {
  const auto error = [](std::string_view calls) {
    return render(kInstruct,
                  R"({"messages": [{"role": "assistant", "tool_calls": )" + std::string(calls) + "}]}");
  };
  const std::string where = "error: messages[0].tool_calls";
  EXPECT_EQ(error("1"), where + ": found a number, expected a list of calls or null");
  EXPECT_EQ(error("[1]"), where + "[0]: found a number, expected an object with id and function");
  EXPECT_EQ(error("[{}]"),
            where + "[0].id: found nothing, expected the call's id, like functions.get_weather:0");
  EXPECT_EQ(error(R"([{"id": "x"}])"),
            where + "[0].function: found nothing, expected an object with name and arguments");
  EXPECT_EQ(error(R"([{"id": "x", "function": {}}])"),
            where + "[0].function.arguments: found nothing, expected the arguments as a string of JSON");
  EXPECT_EQ(render(kInstruct, R"({"messages": [{"role": "user"}], "tools": 1})"),
            "error: tools: found a number, expected a list of tools or null");
}

TEST(ChatFormat, WhatTheOldLayoutCannotSay) {
  EXPECT_EQ(renderTurns(kOld, kCall),
            "error: messages[1]: chat format k2-2025-07-11 cannot say tool_calls; start with "
            "--chat-format k2-instruct-0905");
  EXPECT_TRUE(renderTurns(kOld, R"({"role": "developer"})").starts_with("error: messages[1]: "));
  EXPECT_EQ(renderTurns(kInstruct, R"({"role": "developer", "content": "D"})"),
            "<|im_system|>developer<|im_middle|>D<|im_end|>");
}

} // namespace kimi::text
