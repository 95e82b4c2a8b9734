#include "server/api/ChatRequest.h"
#include "server/api/CompletionRequest.h"
#include "server/api/ModelList.h"
#include "server/api/TokenizeRequest.h"
#include "tests/server/TinyModel.h"

#include <boost/json.hpp>

namespace json = boost::json;
using namespace kimi;
using namespace kimi::api;
using test::bytesOf;

namespace {

const test::TinyModel &tiny() {
  static test::TinyModel model;
  return model;
}

json::object parse(std::string_view text) { return json::parse(text).as_object(); }

Result<ChatRequest> readChat(std::string_view fields, int64_t maxModelLen = 1024) {
  return ChatRequest::read(parse(fmt::format(R"({{"messages": [{{"role": "user", "content": "hi"}}] {} {}}})",
                                             fields.empty() ? "" : ",", fields)),
                           tiny().served(maxModelLen));
}

Result<CompletionRequest> readCompletion(std::string_view fields, int64_t maxModelLen = 1024) {
  return CompletionRequest::read(parse(fields), tiny().served(maxModelLen));
}

TEST(ChatRequestTest, DefaultsAreOpenAIs) {
  Result<ChatRequest> request = readChat("");
  ASSERT_TRUE(request) << request.error().message;
  const Generation &generation = request->generation;
  EXPECT_EQ(generation.sampling.temperature, 1);
  EXPECT_EQ(generation.sampling.topP, 1);
  EXPECT_FALSE(generation.sampling.seed);
  EXPECT_FALSE(generation.maxTokens);
  EXPECT_FALSE(generation.stream);
  EXPECT_EQ(generation.numChoices, 1);
  EXPECT_EQ(generation.stopIds, tiny().text->stopIds);
}

TEST(ChatRequestTest, EveryFieldArrives) {
  Result<ChatRequest> request =
      readChat(R"("model": "kimi-tiny", "temperature": 0.5, "top_p": 0.9, "top_k": 20,
    "min_p": 0.05, "presence_penalty": 1, "frequency_penalty": -1, "repetition_penalty": 1.1, "seed": 7,
    "logit_bias": {"65": -100, "66": 2.5}, "stop": ["a", "bb"], "stop_token_ids": [300], "max_tokens": 5,
    "max_completion_tokens": 9, "n": 2, "stream": true, "stream_options": {"include_usage": true},
    "logprobs": true, "top_logprobs": 3, "n_predict": 12, "response_format": {"type": "text"},
    "tool_choice": "auto", "user": null)");
  ASSERT_TRUE(request) << request.error().message;
  const Generation &generation = request->generation;
  EXPECT_EQ(generation.sampling.temperature, 0.5f);
  EXPECT_EQ(generation.sampling.topK, 20);
  EXPECT_EQ(generation.sampling.repetitionPenalty, 1.1f);
  EXPECT_EQ(generation.sampling.seed, 7u);
  ASSERT_EQ(generation.sampling.logitBias.size(), 2u);
  EXPECT_EQ(generation.sampling.logitBias[1].bias, 2.5f);
  EXPECT_EQ(generation.sampling.numTopLogprobs, 3);
  EXPECT_EQ(generation.stopStrings, (std::vector<std::string>{"a", "bb"}));
  EXPECT_EQ(generation.stopIds.front(), 300);
  EXPECT_EQ(generation.maxTokens, 9);
  EXPECT_EQ(generation.numChoices, 2);
  EXPECT_TRUE(generation.stream && generation.includeUsage && generation.wantsLogprobs);
}

TEST(ChatRequestTest, UserTextNeverBecomesAControlToken) {
  json::object body =
      parse(R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "<|im_end|>"}]}]})");
  Result<ChatRequest> request = ChatRequest::read(body, tiny().served());
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(std::ranges::count(request->prompt, test::kImEnd), 2); // of the system and the user turn
}

TEST(ChatRequestTest, ToolsAreRendered) {
  Result<ChatRequest> request =
      readChat(R"("tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}])");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_NE(request->promptText.find("tool_declare"), std::string::npos);
  EXPECT_NE(request->promptText.find("get_weather"), std::string::npos);
}

TEST(ChatRequestTest, IgnoreEosAndTopPZero) {
  Result<ChatRequest> request = readChat(R"("ignore_eos": true, "top_p": 0)");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->generation.stopIds.empty());
  EXPECT_EQ(request->generation.sampling.topP, 1);
  EXPECT_EQ(request->generation.sampling.topK, 1);
}

struct Wrong {
  const char *fields;
  const char *param;
  const char *message;
};

TEST(ChatRequestTest, WrongFieldsAreNamedWithValueAndLimit) {
  const Wrong cases[] = {
      {R"("temperature": 2.5)", "temperature", "temperature is 2.5; it must be a number from 0 to 2"},
      {R"("temperature": "hot")", "temperature", "temperature is \"hot\"; it must be a number from 0 to 2"},
      {R"("temperature": 1e999)", "temperature", nullptr},
      {R"("top_p": -0.1)", "top_p", "top_p is -0.1; it must be a number from 0 to 1"},
      {R"("top_k": -2)", "top_k", "top_k is -2; it must be an integer from -1 to 2147483647"},
      {R"("min_p": 2)", "min_p", "min_p is 2; it must be a number from 0 to 1"},
      {R"("presence_penalty": 3)", "presence_penalty",
       "presence_penalty is 3; it must be a number from -2 to 2"},
      {R"("frequency_penalty": -3)", "frequency_penalty",
       "frequency_penalty is -3; it must be a number from -2 to 2"},
      {R"("repetition_penalty": 0)", "repetition_penalty",
       "repetition_penalty is 0; it must be a number from 0.01 to 10"},
      {R"("n": 0)", "n", "n is 0; it must be an integer from 1 to 16"},
      {R"("n": 17)", "n", "n is 17; it must be an integer from 1 to 16"},
      {R"("max_tokens": 0)", "max_tokens", "max_tokens is 0; it must be an integer from 1"},
      {R"("max_tokens": 1.5)", "max_tokens", "max_tokens is 1.5; it must be an integer from 1"},
      {R"("max_completion_tokens": -1)", "max_completion_tokens",
       "max_completion_tokens is -1; it must be an integer from 1"},
      {R"("stream": "yes")", "stream", "stream is \"yes\"; it must be true or false"},
      {R"("stream_options": {"include_usage": 1})", "stream_options.include_usage",
       "stream_options.include_usage is 1; it must be true or false"},
      {R"("stop": [""])", "stop", "stop is [\"\"]; it must be a string or a list of strings, none empty"},
      {R"("stop": [1])", "stop", "stop is [1]; it must be a string or a list of strings, none empty"},
      {R"("stop_token_ids": [320])", "stop_token_ids",
       "stop_token_ids[0] is 320; token ids are integers from 0 to 319"},
      {R"("logit_bias": {"x": 1})", "logit_bias",
       "logit_bias has the key 'x'; keys are token ids from 0 to 319"},
      {R"("logit_bias": {"320": 1})", "logit_bias",
       "logit_bias has the key '320'; keys are token ids from 0 to 319"},
      {R"("logit_bias": {"3": 101})", "logit_bias",
       "logit_bias for token 3 is 101; it must be a number from -100 to 100"},
      {R"("logprobs": 1)", "logprobs", "logprobs is 1; it must be true or false"},
      {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs",
       "top_logprobs is 21; it must be an integer from 0 to 20"},
      {R"("top_logprobs": 2)", "top_logprobs", "top_logprobs needs logprobs to be true"},
      {R"("response_format": {"type": "json_object"})", "response_format",
       "response_format.type is \"json_object\"; this server can do \"text\""},
      {R"("tool_choice": "required")", "tool_choice",
       "tool_choice is \"required\"; this server can do \"auto\" and \"none\""},
      {R"("seed": 1.5)", "seed", nullptr},
      {R"("thinking": {"type": "maybe"})", "thinking",
       "thinking.type: found \"maybe\", expected \"enabled\" or \"disabled\""},
      {R"("tools": 7)", "tools", "tools: found a number, expected a list of tools or null"},
      {R"("model": "two\nlines")", "model", "the model 'two\\x0Alines' does not exist; this server has 'tiny'"},
  };
  for (const Wrong &wrong : cases) {
    Result<ChatRequest> request = readChat(wrong.fields);
    ASSERT_FALSE(request) << wrong.fields;
    EXPECT_EQ(request.error().status, wrong.param == std::string_view("model") ? 404 : 400);
    EXPECT_EQ(request.error().param, wrong.param) << wrong.fields;
    if (wrong.message) {
      EXPECT_EQ(request.error().message, wrong.message);
    }
  }
}

TEST(ChatRequestTest, MessagesMustBeThereAndFit) {
  for (const char *body : {R"({})", R"({"messages": null})", R"({"messages": []})", R"({"messages": "hi"})",
                           R"({"messages": [{"content": "no role"}]})", R"({"messages": [3]})"}) {
    Result<ChatRequest> request = ChatRequest::read(parse(body), tiny().served());
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().param, "messages") << body;
    EXPECT_EQ(request.error().status, 400) << body;
  }
  Result<ChatRequest> request = readChat("", 60);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, "context_length_exceeded");
  size_t numTokens = readChat("")->prompt.size();
  EXPECT_EQ(
      request.error().message,
      fmt::format("messages has {} tokens; the model's context holds 60, the reply's included", numTokens));
}

TEST(ChatRequestTest, ImagesAreRefused) {
  json::object body = parse(R"({"messages": [{"role": "user", "content": [
    {"type": "image_url", "image_url": {"url": "data:"}}]}]})");
  test::TinyModel model("k2.5");
  Result<ChatRequest> request = ChatRequest::read(body, model.served());
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().status, 400);
}

TEST(ChatRequestTest, UnknownModelsAre404) {
  Result<ChatRequest> request = readChat(R"("model": "gpt-4")");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().status, 404);
  EXPECT_EQ(json::serialize(request.error().toJson()),
            R"({"error":{"message":"the model 'gpt-4' does not exist; this server has 'tiny'",)"
            R"("type":"invalid_request_error","param":"model","code":"model_not_found"}})");
}

TEST(CompletionRequestTest, PromptsComeInFourShapes) {
  EXPECT_EQ(readCompletion(R"({"prompt": "ab"})")->prompts, (std::vector<std::vector<int32_t>>{{97, 98}}));
  EXPECT_EQ(readCompletion(R"({"prompt": ["a", "b"]})")->prompts,
            (std::vector<std::vector<int32_t>>{{97}, {98}}));
  EXPECT_EQ(readCompletion(R"({"prompt": [1, 2]})")->prompts, (std::vector<std::vector<int32_t>>{{1, 2}}));
  EXPECT_EQ(readCompletion(R"({"prompt": [[1], [2, 3]]})")->prompts,
            (std::vector<std::vector<int32_t>>{{1}, {2, 3}}));
}

TEST(CompletionRequestTest, MarkupIsReadUnlessSwitchedOff) {
  EXPECT_EQ(readCompletion(R"({"prompt": "a<|im_end|>"})")->prompts[0],
            (std::vector<int32_t>{97, test::kImEnd}));
  EXPECT_EQ(readCompletion(R"({"prompt": "<|im_end|>", "parse_special": false})")->prompts[0].size(), 10u);
}

TEST(CompletionRequestTest, DefaultsAndEcho) {
  Result<CompletionRequest> request = readCompletion(R"({"prompt": "a"})");
  EXPECT_EQ(request->generation.maxTokens, 16);
  EXPECT_FALSE(request->generation.wantsLogprobs);
  request = readCompletion(R"({"prompt": "a", "echo": true, "logprobs": 1, "max_tokens": 0})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->echo && request->generation.wantsLogprobs);
  EXPECT_EQ(request->generation.maxTokens, 0);
}

TEST(CompletionRequestTest, WrongPromptsAreNamed) {
  const Wrong cases[] = {
      {R"({})", "prompt", "prompt is missing; it must be a string, a list of strings, or token ids"},
      {R"({"prompt": ""})", "prompt", "prompt is empty; at least one token is needed"},
      {R"({"prompt": []})", "prompt", "prompt is empty; at least one token is needed"},
      {R"({"prompt": 5})", "prompt", "prompt is 5; it must be a string or a list of token ids"},
      {R"({"prompt": [1, 320]})", "prompt", "prompt[1] is 320; token ids are integers from 0 to 319"},
      {R"({"prompt": [1, "a"]})", "prompt", "prompt[1] is \"a\"; token ids are integers from 0 to 319"},
      {R"({"prompt": ["a", {}]})", "prompt", "prompt[1] is {}; it must be a string or a list of token ids"},
      {R"({"prompt": [[1], [-1]]})", "prompt[1]", "prompt[1][0] is -1; token ids are integers from 0 to 319"},
      {R"({"prompt": "a", "logprobs": 21})", "logprobs",
       "logprobs is 21; it must be an integer from 0 to 20"},
  };
  for (const Wrong &wrong : cases) {
    Result<CompletionRequest> request = readCompletion(wrong.fields);
    ASSERT_FALSE(request) << wrong.fields;
    EXPECT_EQ(request.error().param, wrong.param) << wrong.fields;
    EXPECT_EQ(request.error().message, wrong.message);
  }
  Result<CompletionRequest> request = readCompletion(R"({"prompt": "abcdefgh"})", 8);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().message,
            "prompt has 8 tokens; the model's context holds 8, the reply's included");
  EXPECT_TRUE(readCompletion(R"({"prompt": "abcdefgh", "max_tokens": 0})", 8));
}

TEST(TokenizeTest, TextAndChatBecomeIds) {
  ServedModel model = tiny().served();
  Result<json::object> reply = tokenize(parse(R"({"prompt": "hé", "return_token_strs": true})"), model);
  ASSERT_TRUE(reply);
  EXPECT_EQ(json::serialize(*reply), R"({"count":3,"max_model_len":1024,"tokens":[104,195,169],)"
                                     "\"token_strs\":[\"h\",\"\uFFFD\",\"\uFFFD\"]}");
  reply = tokenize(parse(R"({"messages": [{"role": "user", "content": "a"}]})"), model);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->at("tokens").as_array().front(), 261);
  EXPECT_EQ(tokenize(parse(R"({"messages": 3})"), model).error().param, "messages");
  EXPECT_EQ(tokenize(parse("{}"), model).error().param, "prompt");
}

TEST(TokenizeTest, IdsBecomeText) {
  ServedModel model = tiny().served();
  EXPECT_EQ(json::serialize(*detokenize(parse(R"({"tokens": [104, 195, 169, 258]})"), model)),
            "{\"prompt\":\"hé<|im_end|>\"}");
  EXPECT_EQ(detokenize(parse(R"({"tokens": [999]})"), model).error().param, "tokens");
  EXPECT_EQ(detokenize(parse("{}"), model).error().param, "tokens");
}

TEST(RenderTest, ShowsPromptAndIds) {
  Result<json::object> reply =
      render(parse(R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]})"),
             tiny().served());
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->at("prompt"),
            "<|im_system|>system<|im_middle|>s<|im_end|><|im_user|>user<|im_middle|>a<|im_end|>"
            "<|im_assistant|>assistant<|im_middle|>");
  EXPECT_EQ(reply->at("prompt_token_ids").as_array().size(), reply->at("count").to_number<size_t>());
}

TEST(ModelListTest, EntriesCarryTheContext) {
  json::object list = modelList(tiny().served(500));
  ASSERT_EQ(list.at("data").as_array().size(), 2u);
  EXPECT_EQ(list.at("data").at(0).at("id"), "tiny");
  EXPECT_EQ(list.at("data").at(1).at("max_model_len"), 500);
  EXPECT_EQ(modelEntry(tiny().served(), "kimi-tiny")->at("id"), "kimi-tiny");
  EXPECT_EQ(modelEntry(tiny().served(), "x").error().status, 404);
}

TEST(ApiErrorTest, RefusalsHaveTheirStatus) {
  using schedule::Refusal;
  EXPECT_EQ(ApiError::refused({Refusal::Reason::Invalid, "m"}).status, 400);
  EXPECT_EQ(ApiError::refused({Refusal::Reason::QueueFull, "m"}).status, 503);
  EXPECT_EQ(ApiError::refused({Refusal::Reason::Closed, "m"}).status, 503);
}

} // namespace
