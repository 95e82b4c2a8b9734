#include "tests/server/http/Running.h"

using namespace kimi;
using namespace kimi::test;

namespace {

TEST(ServerTest, ChatWhole) {
  RunningServer running;
  Response response = running.client().post("/v1/chat/completions", chatBody("hello", 7, false));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header(wire::field::content_type), "application/json");
  json::value body = response.parsed();
  EXPECT_EQ(response.message(), running.expectedChat("hello", 7));
  EXPECT_EQ(body.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(body.at("usage").at("completion_tokens"), 7);
  EXPECT_EQ(body.at("system_fingerprint"), "fp_fake");
}

TEST(ServerTest, ChatStream) {
  RunningServer running;
  Response response = running.client().post(
      "/v1/chat/completions", chatBody("hello", 5, true, R"(, "stream_options": {"include_usage": true})"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header(wire::field::content_type), "text/event-stream");
  std::vector<std::string> events = response.events();
  ASSERT_EQ(events.size(), 9u); // role, five tokens, finish, usage, [DONE]
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_EQ(json::parse(events[0]).at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_EQ(json::parse(events[6]).at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(json::parse(events[7]).at("usage").at("completion_tokens"), 5);
  EXPECT_EQ(response.content(), running.expectedChat("hello", 5));
}

TEST(ServerTest, CompletionsWholeAndStream) {
  RunningServer running;
  Client client = running.client();
  std::string expected = running.expectedText(bytesOf("once"), 4);
  Response response =
      client.post("/v1/completions", R"({"prompt": "once", "max_tokens": 4, "temperature": 0})");
  EXPECT_EQ(response.parsed().at("choices").at(0).at("text").as_string(), expected);
  response = client.post("/v1/completions",
                         R"({"prompt": "once", "max_tokens": 4, "temperature": 0, "stream": true})");
  std::string text;
  for (const std::string &event : response.events())
    if (event != "[DONE]")
      text += json::parse(event).at("choices").at(0).at("text").as_string();
  EXPECT_EQ(text, expected);
}

TEST(ServerTest, CompletionsScorePrompts) {
  RunningServer running;
  Response response =
      running.client().post("/v1/completions", R"({"prompt": [[97, 98, 99], [100, 101]], "echo": true,
    "logprobs": 1, "max_tokens": 1, "temperature": 0})");
  ASSERT_EQ(response.status, 200) << response.body;
  json::value body = response.parsed();
  const json::value &logprobs = body.at("choices").at(0).at("logprobs");
  EXPECT_EQ(json::serialize(logprobs.at("tokens").at(1)), "\"b\"");
  EXPECT_TRUE(logprobs.at("token_logprobs").at(0).is_null());
  EXPECT_EQ(logprobs.at("token_logprobs").at(1).to_number<float>(), fakeLogprob('b'));
  EXPECT_EQ(logprobs.at("token_logprobs").at(2).to_number<float>(), fakeLogprob('c'));
  EXPECT_EQ(body.at("choices").at(1).at("logprobs").at("tokens").as_array().size(), 3u);
}

TEST(ServerTest, AStopStringEndsTheRequest) {
  RunningServer running;
  std::string text = running.expectedChat("hello", 40);
  std::string stop = text.substr(20, 4);
  std::string expected = text.substr(0, text.find(stop));
  for (bool stream : {false, true}) {
    Response response = running.client().post(
        "/v1/chat/completions", chatBody("hello", 900, stream, R"(, "stop": [")" + stop + "\"]"));
    EXPECT_EQ(stream ? response.content() : response.message(), expected);
  }
  running.waitUntilIdle();
  EXPECT_EQ(running.loop->load().numFreeBlocks, running.loop->load().numBlocks);
}

TEST(ServerTest, EightRequestsInOneBatch) {
  RunningServer running(gated());
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(running.client());
    clients.back().send(wire::verb::post, "/v1/chat/completions",
                        chatBody(fmt::format("user {}", i), 60, i % 2));
  }
  // The engine is held in its first step until all have arrived.
  while (running.loop->load().numRunning + running.loop->load().numWaiting < 8)
    std::this_thread::yield();
  running.gate.open();
  for (int i = 0; i < 8; ++i) {
    Response response = clients[i].receive();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(i % 2 ? response.content() : response.message(),
              running.expectedChat(fmt::format("user {}", i), 60));
  }
  EXPECT_LT(running.engine.numSteps, 2 * 60); // they shared steps
}

TEST(ServerTest, OneConnectionServesManyRequests) {
  RunningServer running;
  Client client = running.client();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.post("/v1/chat/completions", chatBody("a", 3, true)).content(),
              running.expectedChat("a", 3));
    EXPECT_EQ(client.get("/health").status, 200);
    EXPECT_EQ(client.post("/v1/chat/completions", "{").status, 400);
  }
}

TEST(ServerTest, RequestsSentAheadAreAnsweredInTurn) {
  RunningServer running;
  Client client = running.client();
  client.send(wire::verb::post, "/v1/chat/completions", chatBody("a", 40, true));
  client.send(wire::verb::post, "/v1/chat/completions", chatBody("b", 3, false));
  client.send(wire::verb::get, "/version");
  EXPECT_EQ(client.receive().content(), running.expectedChat("a", 40));
  EXPECT_EQ(client.receive().message(), running.expectedChat("b", 3));
  EXPECT_EQ(client.receive().parsed().at("version"), KIMI_VERSION);
}

TEST(ServerTest, Http10StreamsUntilClose) {
  RunningServer running;
  Client client = running.client();
  client.send(wire::verb::post, "/v1/chat/completions", chatBody("a", 4, true), "", 10);
  Response response = client.receive();
  EXPECT_EQ(response.headers.count(wire::field::transfer_encoding), 0u);
  EXPECT_EQ(response.content(), running.expectedChat("a", 4));
}

TEST(ServerTest, InfoAndTextEndpoints) {
  RunningServer running;
  Client client = running.client();
  EXPECT_EQ(client.get("/health").parsed().at("status"), "ok");
  EXPECT_EQ(client.get("/version").parsed().at("version"), KIMI_VERSION);
  json::value models = client.get("/v1/models?limit=1").parsed();
  EXPECT_EQ(models.at("data").at(0).at("id"), "tiny");
  EXPECT_EQ(models.at("data").at(0).at("max_model_len"), 1024);
  EXPECT_EQ(client.get("/v1/models/kimi-tiny").parsed().at("id"), "kimi-tiny");
  EXPECT_EQ(client.get("/v1/models/other").status, 404);
  EXPECT_EQ(client.post("/tokenize", R"({"prompt": "ab"})").parsed().at("count"), 2);
  EXPECT_EQ(client.post("/detokenize", R"({"tokens": [97, 98]})").parsed().at("prompt"), "ab");
  json::value rendered = client.post("/v1/chat/completions/render", chatBody("hi", 1, false)).parsed();
  EXPECT_NE(rendered.at("prompt").as_string().find("user<|im_middle|>hi"), std::string::npos);
}

TEST(ServerTest, ErrorsAreJson) {
  RunningServer running;
  Client client = running.client();
  Response response = client.post("/v1/chat/completions", "{not json");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.errorField("code"), "invalid_json");
  EXPECT_EQ(client.post("/v1/chat/completions", "[1]").errorField("message"),
            "the body must be a JSON object");
  EXPECT_EQ(client.post("/v1/chat/completions", "").status, 400);
  EXPECT_EQ(client.post("/v1/chat/completions", "\xff\xfe").status, 400);
  response = client.post("/v1/chat/completions", chatBody("a", 1, true, R"(, "top_p": 7)"));
  EXPECT_EQ(response.status, 400); // before the stream starts
  EXPECT_EQ(response.errorField("param"), "top_p");
  response = client.post("/v1/chat/completions", chatBody(std::string(2000, 'x'), 1, true));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.errorField("code"), "context_length_exceeded");
  EXPECT_EQ(client.post("/v1/completions", R"({"prompt": "a", "model": "gpt"})").status, 404);
  response = client.get("/nowhere");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.errorField("code"), "unknown_url");
  response = client.get("/v1/chat/completions");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.header(wire::field::allow), "POST");
  EXPECT_EQ(client.post("/v1/models", "{}").header(wire::field::allow), "GET");
  EXPECT_EQ(client.get("/health").status, 200); // the connection has survived it all
}

TEST(ServerTest, BytesThatAreNotHttp) {
  RunningServer running;
  Client client = running.client();
  client.sendRaw("\x16\x03\x01 hello\r\n\r\n");
  EXPECT_EQ(client.receive().status, 400);
}

TEST(ServerTest, LargeBodiesAreRefused) {
  RunningOptions options;
  options.server.maxBodyBytes = 1000;
  RunningServer running(options);
  Client client = running.client();
  Response response = client.post("/v1/chat/completions", chatBody(std::string(5000, 'x'), 1, false));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.errorField("message"), "the body is larger than 1000 bytes");
}

TEST(ServerTest, AKeyIsAskedFor) {
  RunningOptions options;
  options.server.apiKey = "secret";
  RunningServer running(options);
  Client client = running.client();
  Response response = client.get("/v1/models");
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.errorField("code"), "invalid_api_key");
  EXPECT_EQ(client.get("/v1/models", "wrong!").status, 401);
  EXPECT_EQ(client.get("/v1/models", "secret").status, 200);
  EXPECT_EQ(client.post("/tokenize", R"({"prompt": "a"})").status, 401);
  EXPECT_EQ(client.get("/health").status, 200);
}

TEST(ServerTest, AFullQueueAsksToComeBack) {
  RunningOptions options;
  options.loop.maxWaiting = 0;
  RunningServer running(options);
  Response response = running.client().post("/v1/chat/completions", chatBody("a", 1, true));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header(wire::field::retry_after), "1");
  EXPECT_EQ(response.errorField("code"), "queue_full");
}

TEST(ServerTest, AFailedStepIsAnErrorBeforeOrInsideTheStream) {
  RunningServer running;
  running.engine.failWith = "the device is gone";
  Client client = running.client();
  Response response = client.post("/v1/chat/completions", chatBody("a", 5, true));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.errorField("message"), "the device is gone");
  running.engine.notFiniteAfter = running.expectedChat("a", 3).back();
  response = client.post("/v1/chat/completions", chatBody("a", 50, true));
  EXPECT_EQ(response.status, 200);
  std::vector<std::string> events = response.events();
  ASSERT_GE(events.size(), 2u);
  EXPECT_NE(events[events.size() - 2].find("are not finite"), std::string::npos);
  EXPECT_EQ(events.back(), "[DONE]");
  running.problems.clear(); // the failed step was reported, as it should
}

TEST(ServerTest, SeveralChoices) {
  RunningServer running;
  Response response = running.client().post("/v1/chat/completions", chatBody("a", 3, false, R"(, "n": 3)"));
  for (size_t choice = 0; choice < 3; ++choice)
    EXPECT_EQ(response.message(choice), running.expectedChat("a", 3));
}

} // namespace
