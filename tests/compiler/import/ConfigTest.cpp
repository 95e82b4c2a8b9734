// What parseModelConfig says of a config.json that is wrong: one line, the field, what it holds and what it must be.
#include "compiler/import/ModelConfig.h"
#include "tests/compiler/import/TestCheckpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kimi::test {
namespace {

using llvm::json::Object;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct FieldCase {
  const char *field;
  const char *value; // JSON; nullptr removes the field
  const char *message;
};

const FieldCase kFieldCases[] = {
    {"hidden_size", "\"256\"", "hidden_size is \"256\" but must be an integer from 1 to 1048576"},
    {"hidden_size", "0", "hidden_size is 0 but must be an integer"},
    {"hidden_size", "-256", "hidden_size is -256 but must be an integer"},
    {"hidden_size", "256.5", "hidden_size is 256.5 but must be an integer"},
    {"hidden_size", "1e300", "e+300 but must be an integer"},
    {"hidden_size", nullptr, "hidden_size is missing; an integer is needed"},
    {"hidden_size", "{\"a\": 1}", "hidden_size is {\"a\":1} but must be"},
    {"num_attention_heads", "2097152", "num_attention_heads is 2097152 but must be an integer from 1 to 1048576"},
    {"num_attention_heads", "9223372036854775808.0", "num_attention_heads is 9.22"},
    {"num_attention_heads", "9223372036854775808", "num_attention_heads is 9223372036854775808 but must be"},
    {"num_key_value_heads", "2", "num_key_value_heads is 2 but num_attention_heads is 4"},
    {"q_lora_rank", "0", "q_lora_rank is 0 but must be"},
    {"qk_rope_head_dim", "15", "qk_rope_head_dim is 15 but values rotate in pairs"},
    {"num_hidden_layers", "100000", "num_hidden_layers is 100000 but must be"},
    {"first_k_dense_replace", "-1", "first_k_dense_replace is -1 but must be"},
    {"attention_bias", "true", "attention_bias is true; only false is supported"},
    {"attention_bias", "0", "attention_bias is 0 but must be true or false"},
    {"hidden_act", "\"gelu\"", "hidden_act is \"gelu\"; only \"silu\" is supported"},
    {"hidden_act", "7", "hidden_act is 7 but must be a string"},
    {"scoring_func", "\"softmax\"", "scoring_func is \"softmax\"; only \"sigmoid\" is supported"},
    {"topk_method", "\"greedy\"", "topk_method is \"greedy\"; only \"noaux_tc\" is supported"},
    {"moe_layer_freq", "2", "moe_layer_freq is 2 but must be an integer from 1 to 1"},
    {"n_routed_experts", "0", "n_routed_experts is 0 but must be"},
    {"n_shared_experts", "0", "n_shared_experts is 0 but must be"},
    {"num_experts_per_tok", "17", "num_experts_per_tok is 17 but the kept groups have 16 experts"},
    {"n_group", "3", "keeps topk_group 1 of n_group 3 groups of n_routed_experts 16"},
    {"n_group", "16", "n_group is 16 for 16 experts: groups are ranked by their two best experts"},
    {"topk_group", "2", "keeps topk_group 2 of n_group 1 groups"},
    {"rms_norm_eps", "0", "rms_norm_eps is 0 but must be a number above"},
    {"rms_norm_eps", "\"1e-6\"", "rms_norm_eps is \"1e-6\" but must be a number"},
    {"rope_theta", "1", "rope_theta is 1 but must be a number above"},
    {"rope_scaling", "\"yarn\"", "rope_scaling must be null or an object"},
    {"rope_scaling", "{\"type\": \"linear\", \"factor\": 2}", "type is \"linear\"; only \"yarn\" is supported"},
    {"rope_scaling", "{\"type\": \"yarn\"}", "rope_scaling: factor is missing"},
    {"rope_scaling",
     "{\"type\": \"yarn\", \"factor\": 2, \"original_max_position_embeddings\": 4096, \"long_factor\": 1}",
     "rope_scaling: the key \"long_factor\" is not known here"},
    {"rope_scaling",
     "{\"type\": \"yarn\", \"factor\": 2, \"original_max_position_embeddings\": 4096, \"truncate\": false}",
     "truncate is false"},
    {"rope_parameters", "{}", "rope_parameters is not supported"},
    {"rope_interleave", "false", "rope_interleave is false; only true is supported"},
    {"model_type", "\"llama\"", "model_type is \"llama\"; kimi_k2, deepseek_v3 and kimi_k25 are supported"},
    {"model_type", nullptr, "model_type is missing; a string is needed"},
    {"text_config", "{}", "model_type is \"kimi_k2\" with a text_config"},
    {"text_config", "[]", "text_config must be an object"},
};

std::string parse(const std::string &text) {
  llvm::Expected<import_::ModelConfig> config = import_::parseModelConfig(text, "config.json");
  return config ? "accepted" : llvm::toString(config.takeError());
}

std::string print(Object object) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(object));
  return text;
}

TEST(Config, SaysWhatIsWrongWithAField) {
  for (const FieldCase &test : kFieldCases) {
    TestCheckpoint checkpoint;
    if (test.value)
      checkpoint.config[test.field] = llvm::cantFail(llvm::json::parse(test.value));
    else
      checkpoint.config.erase(test.field);
    const std::string message = parse(print(std::move(checkpoint.config)));
    EXPECT_THAT(message, StartsWith("config.json: "));
    EXPECT_THAT(message, HasSubstr(test.message)) << test.field;
    EXPECT_THAT(message, Not(HasSubstr("\n")));
  }
}

TEST(Config, RefusesWhatIsNoJson) {
  EXPECT_THAT(parse(""), HasSubstr("config.json is not JSON"));
  EXPECT_THAT(parse("{\"a\": "), HasSubstr("config.json is not JSON"));
  EXPECT_THAT(parse("[1]"), HasSubstr("is JSON but not an object"));
  EXPECT_THAT(parse("{\"a\": \"\xff\"}"), HasSubstr("is not JSON"));
  EXPECT_THAT(parse("{\"a\": 1, \"a\": 2}"), HasSubstr("has the key \"a\" twice"));
  EXPECT_THAT(parse("{\"a\": {\"b\": 1, \"b\" : 2}}"), HasSubstr("has the key \"b\" twice"));
  EXPECT_THAT(parse(std::string(1 << 20, '[')), HasSubstr("nests deeper than 64 levels at byte 64"));
  EXPECT_THAT(parse("{\"a\": \"b\": \"\\"), HasSubstr("is not JSON"));
}

TEST(Config, NestedTextModelNeedsItsOwnFields) {
  EXPECT_THAT(parse("{\"model_type\": \"kimi_k25\", \"text_config\": {\"model_type\": \"kimi_k2\"}}"),
              HasSubstr("config.json: text_config: vocab_size is missing"));
  EXPECT_THAT(parse("{\"model_type\": \"kimi_k25\"}"), HasSubstr("model_type is \"kimi_k25\""));
}

TEST(Config, EmptyFieldsNeverCrash) {
  // Every field once null, once removed, once an object: accepted or refused in one line.
  const TestCheckpoint whole;
  for (const auto &[key, value] : whole.config) {
    for (const char *replacement : {"null", "[]", "{}", "-1", "1e308", "\"\\n\"", "true"}) {
      Object config = whole.config;
      config[key] = llvm::cantFail(llvm::json::parse(replacement));
      EXPECT_THAT(parse(print(std::move(config))), Not(HasSubstr("\n")));
    }
  }
}

} // namespace
} // namespace kimi::test
