#include "server/api/ChatReply.h"
#include "server/api/CompletionReply.h"
#include "tests/server/TinyModel.h"

#include <boost/json.hpp>

namespace json = boost::json;
using namespace kimi;
using namespace kimi::api;
using schedule::Event;
using schedule::FinishReason;

namespace {

const test::TinyModel &tiny() {
  static test::TinyModel model;
  return model;
}

Event token(int32_t id, std::optional<FinishReason> finish = {}) {
  Event event;
  event.token = id;
  event.logprob = -0.5f;
  event.top = {{id, -0.5f}, {98, -1.5f}};
  if (finish)
    event.finish = schedule::Finish{*finish, "went wrong", {.numPromptTokens = 11, .numOutputTokens = 4}};
  return event;
}

Event ending(FinishReason reason) { return token(-1, reason); }

struct Streamed {
  std::vector<std::string> chunks;
  std::string content, reasoning, finishReason;

  explicit Streamed(Reply &reply, const std::vector<Event> &events) {
    for (const Event &event : events)
      reply.push(0, event, chunks);
    for (const std::string &chunk : chunks) {
      json::value body = json::parse(chunk);
      const json::object &choice = body.at("choices").at(0).as_object();
      if (choice.at("finish_reason").is_string())
        finishReason += choice.at("finish_reason").as_string();
      const json::object &delta = choice.contains("delta") ? choice.at("delta").as_object() : choice;
      for (auto [key, text] :
           {std::pair{"content", &content}, {"reasoning_content", &reasoning}, {"text", &content}})
        if (const json::value *value = delta.if_contains(key))
          *text += value->as_string();
    }
  }
};

ChatReply chatReply(const test::TinyModel &model, const ServedModel &served, std::string_view fields) {
  json::object body =
      json::parse(fmt::format(R"({{"messages": [{{"role": "user", "content": "hi"}}] {}}})", fields))
          .as_object();
  return ChatReply(served, ChatRequest::read(body, served).value());
}

CompletionReply completionReply(const ServedModel &served, std::string_view fields) {
  return CompletionReply(served, CompletionRequest::read(json::parse(fields).as_object(), served).value());
}

std::vector<Event> tokensOf(std::string_view text, FinishReason reason = FinishReason::Stop) {
  std::vector<Event> events;
  for (int32_t id : test::bytesOf(text))
    events.push_back(token(id));
  events.push_back(token(test::kImEnd, reason));
  return events;
}

TEST(ChatReplyTest, AWholeReplyIsACompleteChatCompletion) {
  ServedModel served = tiny().served();
  ChatReply reply = chatReply(tiny(), served, "");
  std::vector<std::string> chunks;
  for (const Event &event : tokensOf("Hey"))
    reply.push(0, event, chunks);
  EXPECT_TRUE(chunks.empty());
  ASSERT_TRUE(reply.isDone());
  json::object body = reply.whole();
  EXPECT_TRUE(body.at("id").as_string().starts_with("chatcmpl-"));
  EXPECT_EQ(body.at("object"), "chat.completion");
  EXPECT_EQ(body.at("model"), "tiny");
  EXPECT_EQ(body.at("system_fingerprint"), "fp_fake");
  EXPECT_GT(body.at("created").as_int64(), 1700000000);
  EXPECT_EQ(json::serialize(body.at("choices")),
            R"([{"index":0,"message":{"role":"assistant","content":"Hey","refusal":null},"logprobs":null,)"
            R"("finish_reason":"stop"}])");
  EXPECT_EQ(json::serialize(body.at("usage")),
            R"({"prompt_tokens":11,"completion_tokens":4,"total_tokens":15,)"
            R"("prompt_tokens_details":{"cached_tokens":0}})");
  EXPECT_EQ(body.at("timings").at("predicted_n"), 4);
  EXPECT_TRUE(body.at("timings").as_object().contains("predicted_ms"));
}

TEST(ChatReplyTest, AStreamOpensWithTheRoleAndClosesWithTheReason) {
  ServedModel served = tiny().served();
  ChatReply reply =
      chatReply(tiny(), served, R"(, "stream": true, "stream_options": {"include_usage": true})");
  Streamed streamed(reply, tokensOf("Hey"));
  ASSERT_EQ(streamed.chunks.size(), 5u); // role, one per token, finish
  json::value first = json::parse(streamed.chunks.front()), last = json::parse(streamed.chunks.back());
  EXPECT_EQ(first.at("object"), "chat.completion.chunk");
  EXPECT_EQ(
      json::serialize(first.at("choices")),
      R"([{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}])");
  EXPECT_TRUE(first.at("usage").is_null());
  EXPECT_EQ(json::serialize(last.at("choices")),
            R"([{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}])");
  EXPECT_EQ(last.at("timings").at("predicted_n"), 4);
  EXPECT_EQ(streamed.content, "Hey");
  json::value usage = json::parse(*reply.usageChunk());
  EXPECT_TRUE(usage.at("choices").as_array().empty());
  EXPECT_EQ(usage.at("usage").at("completion_tokens"), 4);
}

TEST(ChatReplyTest, CharactersAreNeverCut) {
  ServedModel served = tiny().served();
  ChatReply reply = chatReply(tiny(), served, R"(, "stream": true)");
  Streamed streamed(reply, tokensOf("日é"));
  EXPECT_EQ(streamed.content, "日é");
  EXPECT_EQ(streamed.chunks.size(), 4u); // role, 日, é, finish
}

TEST(ChatReplyTest, AStopStringEndsTheReplyWithoutLeaking) {
  ServedModel served = tiny().served();
  for (bool stream : {false, true}) {
    ChatReply reply =
        chatReply(tiny(), served, fmt::format(R"(, "stop": ["END", "zz"], "stream": {})", stream));
    std::vector<Event> events = tokensOf("a EN! ENDmore", FinishReason::Stop);
    std::vector<std::string> chunks;
    size_t hitAt = 0;
    for (size_t i = 0; i < events.size() - 1; ++i) {
      reply.push(0, events[i], chunks);
      if (reply.hitStopString(0) && hitAt == 0)
        hitAt = i;
    }
    reply.push(0, ending(FinishReason::Cancelled), chunks);
    EXPECT_EQ(hitAt, 8u);
    EXPECT_TRUE(reply.isDone());
    EXPECT_FALSE(reply.error());
    EXPECT_EQ(reply.whole().at("choices").at(0).at("message").at("content"), "a EN! ");
    EXPECT_EQ(reply.whole().at("choices").at(0).at("finish_reason"), "stop");
    EXPECT_EQ(reply.whole().at("usage").at("completion_tokens"), 9); // not the four behind it
  }
}

TEST(ChatReplyTest, TextHeldForAStopStringComesAtTheEnd) {
  ServedModel served = tiny().served();
  ChatReply reply = chatReply(tiny(), served, R"(, "stop": "END", "stream": true)");
  Streamed streamed(reply, tokensOf("say EN", FinishReason::Length));
  EXPECT_EQ(streamed.content, "say EN");
  EXPECT_EQ(streamed.finishReason, "length");
}

TEST(ChatReplyTest, ThinkingGoesToReasoningContent) {
  test::TinyModel thinking("k2-thinking");
  ServedModel served = thinking.served();
  for (bool stream : {false, true}) {
    ChatReply reply = chatReply(thinking, served, fmt::format(R"(, "stream": {})", stream));
    std::vector<Event> events = {token(test::kThink)};
    for (int32_t id : test::bytesOf("hm"))
      events.push_back(token(id));
    events.push_back(token(test::kThinkEnd));
    for (Event &event : tokensOf("42"))
      events.push_back(event);
    Streamed streamed(reply, events);
    json::object whole = reply.whole();
    const json::value &message = whole.at("choices").at(0).at("message");
    EXPECT_EQ(message.at("content"), "42");
    EXPECT_EQ(message.at("reasoning_content"), "hm");
    if (stream) {
      EXPECT_EQ(streamed.content, "42");
      EXPECT_EQ(streamed.reasoning, "hm");
    }
  }
}

TEST(ChatReplyTest, APrefilledThinkStartsInReasoning) {
  test::TinyModel model("k2.5");
  ServedModel served = model.served();
  ChatReply reply = chatReply(model, served, R"(, "stream": true)");
  std::vector<Event> events = {token('a'), token(test::kThinkEnd)};
  for (Event &event : tokensOf("b"))
    events.push_back(event);
  Streamed streamed(reply, events);
  EXPECT_EQ(streamed.reasoning, "a");
  EXPECT_EQ(streamed.content, "b");
}

TEST(ChatReplyTest, ToolMarkersNeverLeakAndEndReasoning) {
  test::TinyModel model("k2.5");
  ServedModel served = model.served();
  ChatReply reply = chatReply(model, served, R"(, "stream": true)");
  std::vector<Event> events = {token('a'), token(test::kToolSection), token(test::kToolCall), token('f')};
  events.push_back(token(test::kImEnd, FinishReason::Stop));
  Streamed streamed(reply, events);
  EXPECT_EQ(streamed.reasoning, "a");
  EXPECT_EQ(streamed.content, "f");
}

TEST(ChatReplyTest, LogprobsNameTokensAndBytes) {
  ServedModel served = tiny().served();
  ChatReply reply = chatReply(tiny(), served, R"(, "logprobs": true, "top_logprobs": 2)");
  std::vector<std::string> chunks;
  reply.push(0, token('a'), chunks);
  Event infinite = token(0xE6, FinishReason::Length);
  infinite.logprob = -std::numeric_limits<float>::infinity();
  infinite.top.clear();
  reply.push(0, infinite, chunks);
  EXPECT_EQ(json::serialize(reply.whole().at("choices").at(0).at("logprobs")),
            R"({"content":[{"token":"a","logprob":-5E-1,"bytes":[97],"top_logprobs":[)"
            R"({"token":"a","logprob":-5E-1,"bytes":[97]},{"token":"b","logprob":-1.5E0,"bytes":[98]}]},)"
            "{\"token\":\"\uFFFD\",\"logprob\":-9.999E3,\"bytes\":[230],\"top_logprobs\":[]}]}");
}

TEST(ChatReplyTest, SeveralChoicesShareAPrompt) {
  ServedModel served = tiny().served();
  ChatReply reply = chatReply(tiny(), served, R"(, "n": 2, "seed": 5)");
  std::vector<schedule::Request> requests = reply.takeRequests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].prompt, requests[1].prompt);
  EXPECT_EQ(requests[0].sampling.seed, 5u);
  EXPECT_EQ(requests[1].sampling.seed, 6u);
  std::vector<std::string> chunks;
  reply.push(1, token('b', FinishReason::Length), chunks);
  EXPECT_FALSE(reply.isDone());
  reply.push(0, token('a', FinishReason::Length), chunks);
  EXPECT_TRUE(reply.isDone());
  json::object whole = reply.whole();
  EXPECT_EQ(whole.at("choices").at(1).at("message").at("content"), "b");
  EXPECT_EQ(whole.at("usage").at("prompt_tokens"), 11);
  EXPECT_EQ(whole.at("usage").at("completion_tokens"), 2);
}

TEST(ChatReplyTest, FailuresAreErrorsAndStreamNothing) {
  ServedModel served = tiny().served();
  ChatReply reply = chatReply(tiny(), served, R"(, "stream": true)");
  std::vector<std::string> chunks;
  reply.push(0, ending(FinishReason::Failed), chunks);
  EXPECT_TRUE(chunks.empty());
  ASSERT_TRUE(reply.error());
  EXPECT_EQ(reply.error()->status, 500);
  EXPECT_EQ(reply.error()->message, "went wrong");
  ChatReply other = chatReply(tiny(), served, "");
  other.push(0, ending(FinishReason::Cancelled), chunks);
  EXPECT_EQ(other.error()->status, 503);
}

TEST(CompletionReplyTest, EchoWithLogprobsScoresThePrompt) {
  ServedModel served = tiny().served();
  for (bool stream : {false, true}) {
    CompletionReply reply = completionReply(
        served,
        fmt::format(R"({{"prompt": "abc", "echo": true, "logprobs": 1, "max_tokens": 1, "stream": {}}})",
                    stream));
    EXPECT_TRUE(reply.takeRequests()[0].promptLogprobs);
    std::vector<Event> events = {token('b'), token('c'), token('d', FinishReason::Length)};
    events[0].fromPrompt = events[1].fromPrompt = true;
    Streamed streamed(reply, events);
    EXPECT_EQ(json::serialize(reply.whole().at("choices")),
              R"([{"index":0,"text":"abcd","logprobs":{"tokens":["a","b","c","d"],)"
              R"("token_logprobs":[null,-5E-1,-5E-1,-5E-1],)"
              R"("top_logprobs":[null,{"b":-5E-1},{"c":-5E-1,"b":-1.5E0},{"d":-5E-1,"b":-1.5E0}],)"
              R"("text_offset":[0,1,2,3]},"finish_reason":"length"}])");
    if (stream) {
      ASSERT_EQ(streamed.chunks.size(), 3u);
      EXPECT_EQ(streamed.content, "abcd");
      json::value second = json::parse(streamed.chunks[1]);
      EXPECT_EQ(json::serialize(second.at("choices").at(0).at("logprobs").at("text_offset")), "[3]");
    }
  }
}

TEST(CompletionReplyTest, ScoringOnlyGeneratesNothing) {
  ServedModel served = tiny().served();
  CompletionReply reply = completionReply(served, R"({"prompt": "ab", "echo": true, "max_tokens": 0})");
  std::vector<std::string> chunks;
  reply.push(0, ending(FinishReason::Length), chunks);
  EXPECT_EQ(json::serialize(reply.whole().at("choices")),
            R"([{"index":0,"text":"ab","logprobs":null,"finish_reason":"length"}])");
}

TEST(CompletionReplyTest, MarkersAreTextForRawPrompts) {
  ServedModel served = tiny().served();
  CompletionReply reply = completionReply(served, R"({"prompt": "ab"})");
  std::vector<std::string> chunks;
  reply.push(0, token(test::kToolSection), chunks);
  reply.push(0, token(test::kImEnd, FinishReason::Stop), chunks);
  EXPECT_EQ(reply.whole().at("choices").at(0).at("text"), "<|tool_calls_section_begin|>");
}

TEST(CompletionReplyTest, SeveralPromptsAreSeveralChoices) {
  ServedModel served = tiny().served();
  CompletionReply reply = completionReply(served, R"({"prompt": ["a", "b"], "n": 2, "echo": true})");
  std::vector<schedule::Request> requests = reply.takeRequests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[1].prompt, (std::vector<int32_t>{'a'}));
  EXPECT_EQ(requests[2].prompt, (std::vector<int32_t>{'b'}));
  std::vector<std::string> chunks;
  for (size_t choice = 0; choice < 4; ++choice)
    reply.push(choice, token('x', FinishReason::Length), chunks);
  json::object whole = reply.whole();
  EXPECT_EQ(whole.at("choices").at(3).at("text"), "bx");
  EXPECT_EQ(whole.at("usage").at("prompt_tokens"), 22);
}

TEST(CompletionReplyTest, ReturnsTheIdsOfItsTokensWhenAsked) {
  ServedModel served = tiny().served();
  const std::vector<Event> events = {token('x'), token(0xE6), token(test::kImEnd, FinishReason::Stop)};
  CompletionReply whole = completionReply(served, R"({"prompt": "ab", "return_token_ids": true})");
  std::vector<std::string> chunks;
  for (const Event &event : events)
    whole.push(0, event, chunks);
  EXPECT_EQ(whole.whole().at("choices").at(0).at("token_ids"), (json::array{'x', 0xE6, test::kImEnd}));

  CompletionReply streamed =
      completionReply(served, R"({"prompt": "ab", "return_token_ids": true, "stream": true})");
  for (const Event &event : events)
    streamed.push(0, event, chunks);
  json::array ids;
  for (const std::string &chunk : chunks)
    if (const json::value body = json::parse(chunk); body.at("choices").at(0).as_object().contains("token_ids"))
      for (const json::value &id : body.at("choices").at(0).at("token_ids").as_array())
        ids.push_back(id);
  EXPECT_EQ(ids, (json::array{'x', 0xE6, test::kImEnd})); // also of bytes whose text is held back

  CompletionReply plain = completionReply(served, R"({"prompt": "ab"})");
  plain.push(0, token('x', FinishReason::Length), chunks);
  EXPECT_FALSE(plain.whole().at("choices").at(0).as_object().contains("token_ids"));
}

TEST(CompletionReplyTest, BytesThatAreNoTextGetTheirOwnSpelling) {
  ServedModel served = tiny().served();
  CompletionReply reply = completionReply(served, R"({"prompt": "ab", "logprobs": 2})");
  std::vector<std::string> chunks;
  Event half = token(0xE6);
  half.top = {{0xE6, -0.5f}, {0xE7, -0.75f}};
  reply.push(0, half, chunks);
  reply.push(0, token('x', FinishReason::Length), chunks);
  EXPECT_EQ(json::serialize(reply.whole().at("choices").at(0).at("logprobs").at("top_logprobs").at(0)),
            R"({"bytes:\\xe6":-5E-1,"bytes:\\xe7":-7.5E-1})");
}

} // namespace
