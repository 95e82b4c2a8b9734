// FP8 and INT4 checkpoints: what they become, and what import says of those that do not fit together.
#include "tests/compiler/import/TestCheckpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kimi::test {
namespace {

using llvm::json::Array;
using llvm::json::Object;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Object fp8Config() {
  return Object{{"quant_method", "fp8"}, {"fmt", "e4m3"}, {"activation_scheme", "dynamic"},
                {"weight_block_size", Array{128, 128}}};
}

Object int4Weights() {
  return Object{{"num_bits", 4}, {"type", "int"}, {"symmetric", true}, {"strategy", "group"}, {"group_size", 32},
                {"dynamic", false}, {"actorder", nullptr}, {"block_structure", nullptr}, {"observer", "minmax"},
                {"observer_kwargs", Object{}}};
}

Object int4Config(Object weights = int4Weights()) {
  return Object{{"quant_method", "compressed-tensors"},
                {"format", "pack-quantized"},
                {"quantization_status", "compressed"},
                {"kv_cache_scheme", nullptr},
                {"ignore", Array{"lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
                                 "re:.*mlp\\.(gate|up|gate_up|down)_proj.*"}},
                {"config_groups", Object{{"group_0", Object{{"targets", Array{"Linear"}},
                                                            {"input_activations", nullptr},
                                                            {"output_activations", nullptr},
                                                            {"weights", std::move(weights)}}}}}};
}

TestCheckpoint makeFp8() {
  TestCheckpoint checkpoint;
  checkpoint.config["quantization_config"] = fp8Config();
  checkpoint.listTensors();
  return checkpoint;
}

TestCheckpoint makeInt4() {
  TestCheckpoint checkpoint;
  checkpoint.config["quantization_config"] = int4Config();
  checkpoint.listTensors();
  return checkpoint;
}

TEST(Quantised, Fp8WeightsAreCodesAndScales) {
  TestCheckpoint checkpoint = makeFp8();
  const std::string text = checkpoint.import();
  EXPECT_THAT(text, HasSubstr("kimi.numerics = \"w8a16\""));
  for (const char *line : {
           "kimi.weight @moe.q_a_proj : tensor<96x256xf8E4M3FN> from \"model.layers.{layer}.self_attn.q_a_proj.weight\" "
           "layers 1 count 3 quantised <codes 128 x 128>\n",
           "kimi.weight @moe.q_a_proj.scales : tensor<1x2xf32> from "
           "\"model.layers.{layer}.self_attn.q_a_proj.weight_scale_inv\" layers 1 count 3 quantised <scales 128 x 128>\n",
           // Rows of heads bring a row of scales each: 48 rows of a head do not end where a block of 128 does.
           "kimi.weight @moe.kv_b_key.scales : tensor<4x24x1xf32> from "
           "\"model.layers.{layer}.self_attn.kv_b_proj.weight_scale_inv\" layers 1 count 3 "
           "rows <groups = 4, of = 48, 0 to 24> quantised <scales 128 x 128>\n",
           "kimi.weight @moe.experts.down_proj : tensor<16x256x64xf8E4M3FN>",
           "kimi.weight @moe.experts.down_proj.scales : tensor<16x2x1xf32>",
           "kimi.weight @moe.gate : tensor<16x256xbf16>",
           "kimi.weight @lm_head : tensor<640x256xbf16>",
           "blocks 128 x 128 : tensor<96x256xf8E4M3FN>, tensor<1x2xf32> -> tensor<96x256xf32>",
           "blocks 1 x 128 : tensor<4x24x32xf8E4M3FN>, tensor<4x24x1xf32> -> tensor<4x24x32xf32>",
       })
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Quantised, Int4WeightsAreTheRoutedExpertsOnly) {
  TestCheckpoint checkpoint = makeInt4();
  const std::string text = checkpoint.import();
  EXPECT_THAT(text, HasSubstr("kimi.numerics = \"w4a16\""));
  for (const char *line : {
           "kimi.weight @moe.experts.gate_proj : tensor<16x64x256xi4> from "
           "\"model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight_packed\" layers 1 count 3 experts 16 "
           "quantised <codes 1 x 32>\n",
           "kimi.weight @moe.experts.gate_proj.scales : tensor<16x64x8xbf16> from "
           "\"model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight_scale\" layers 1 count 3 experts 16 "
           "quantised <scales 1 x 32>\n",
           "kimi.weight @moe.shared_experts.up_proj : tensor<64x256xbf16>",
           "kimi.weight @moe.q_a_proj : tensor<96x256xbf16>",
           "blocks 1 x 32 : tensor<16x64x256xi4>, tensor<16x64x8xbf16> -> tensor<16x64x256xf32>",
       })
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Quantised, TheCheckpointDecidesWeightByWeight) {
  TestCheckpoint checkpoint = makeFp8();
  for (int layer = 1; layer < 4; ++layer) {
    const std::string name = "model.layers." + std::to_string(layer) + ".self_attn.o_proj.weight";
    checkpoint.tensor(name).type = "BF16";
    checkpoint.drop(name + "_scale_inv");
  }
  const std::string text = checkpoint.import();
  EXPECT_THAT(text, AllOf(HasSubstr("@moe.o_proj : tensor<256x96xbf16>"), HasSubstr("@dense.o_proj : tensor<256x96xf8E4M3FN>")));
}

TEST(Quantised, ConfigAloneCountsEveryWeightThatMayBe) {
  TestCheckpoint checkpoint = makeInt4();
  EXPECT_THAT(checkpoint.import({.configOnly = true}), HasSubstr("@moe.experts.up_proj : tensor<16x64x256xi4>"));
}

TEST(Quantised, ProfilesSayWhatIsRounded) {
  TestCheckpoint checkpoint = makeFp8();
  EXPECT_THAT(checkpoint.import({.numerics = "f32"}), AllOf(HasSubstr("kimi.dequantise"), Not(HasSubstr("kimi.round"))));
  EXPECT_THAT(checkpoint.import({.numerics = "bf16"}), HasSubstr("the numeric profile is \"bf16\" but the checkpoint's "
                                                                 "weights ask for \"w8a16\" (or f32)"));
}

TEST(Quantised, NestedConfigsSayItInside) {
  TestCheckpoint checkpoint;
  checkpoint.config["quantization_config"] = int4Config();
  checkpoint.config = Object{{"model_type", "kimi_k25"}, {"text_config", std::move(checkpoint.config)}};
  checkpoint.listTensors();
  EXPECT_THAT(checkpoint.import(), HasSubstr("from \"language_model.model.layers.{layer}.mlp.experts.{expert}.up_proj."
                                             "weight_packed\""));
}

TEST(QuantisedError, ScalesMustFit) {
  const std::string name = "model.layers.2.self_attn.q_a_proj.weight";
  TestCheckpoint missing = makeFp8();
  missing.drop(name + "_scale_inv");
  EXPECT_THAT(missing.import(), HasSubstr("has no tensor \"" + name + "_scale_inv\"; config.json asks for F32 [1, 2]"));
  TestCheckpoint turned = makeFp8();
  turned.tensor(name + "_scale_inv").shape = {2, 1};
  EXPECT_THAT(turned.import(), HasSubstr("is [2, 1] but config.json asks for [1, 2]"));
  TestCheckpoint narrow = makeFp8();
  narrow.tensor(name + "_scale_inv").type = "BF16";
  EXPECT_THAT(narrow.import(), HasSubstr("is BF16 but must be F32"));
}

TEST(QuantisedError, ScalesWithoutCodes) {
  TestCheckpoint checkpoint = makeFp8();
  for (int layer = 1; layer < 4; ++layer)
    checkpoint.tensor("model.layers." + std::to_string(layer) + ".self_attn.q_a_proj.weight").type = "BF16";
  EXPECT_THAT(checkpoint.import(), HasSubstr("has the tensor \"model.layers.1.self_attn.q_a_proj.weight_scale_inv\" but "
                                             "\"model.layers.1.self_attn.q_a_proj.weight\" is BF16: scales without codes"));
}

TEST(QuantisedError, LayersMustAgree) {
  TestCheckpoint checkpoint = makeFp8();
  checkpoint.tensor("model.layers.3.self_attn.q_a_proj.weight").type = "BF16";
  EXPECT_THAT(checkpoint.import(), HasSubstr("is BF16 but must be F8_E4M3 as in the layers and experts before it"));
}

TEST(QuantisedError, ExceptionsAreKept) {
  TestCheckpoint checkpoint = makeFp8();
  checkpoint.config["quantization_config"].getAsObject()->try_emplace("modules_to_not_convert",
                                                                      Array{"model.layers.2.self_attn.o_proj"});
  EXPECT_THAT(checkpoint.import(), HasSubstr("\"model.layers.2.self_attn.o_proj.weight\" is quantised but "
                                             "quantization_config says that it is not"));
  TestCheckpoint experts = makeInt4();
  (*experts.config["quantization_config"].getAsObject())["ignore"] = Array{"re:model\\.layers\\.3\\.mlp\\.experts"};
  EXPECT_THAT(experts.import(), HasSubstr("\"model.layers.3.mlp.experts.0.gate_proj.weight\" is quantised but"));
}

TEST(QuantisedError, Int4OutsideTheRoutedExperts) {
  TestCheckpoint checkpoint = makeInt4();
  (*checkpoint.config["quantization_config"].getAsObject())["ignore"] = Array{};
  checkpoint.tensors.push_back({"model.layers.0.self_attn.o_proj.weight_packed", "I32", {256, 12}});
  EXPECT_THAT(checkpoint.import(), HasSubstr("\"model.layers.0.self_attn.o_proj.weight\" is int4 but only routed experts "
                                             "may be"));
}

TEST(QuantisedError, WeightShapeMustAgree) {
  const std::string name = "model.layers.2.mlp.experts.7.up_proj.weight_shape";
  TestCheckpoint checkpoint = makeInt4();
  checkpoint.tensor(name).data = shapeBytes(256, 64);
  EXPECT_THAT(checkpoint.import(), HasSubstr("tensor \"" + name + "\" says [256, 64] but config.json asks for [64, 256]"));
  checkpoint.tensor(name).type = "I64";
  EXPECT_THAT(checkpoint.import(), HasSubstr("is I64 [2] but must be I32 [2]"));
  checkpoint.drop(name);
  EXPECT_THAT(checkpoint.import(), HasSubstr("has no tensor \"" + name + "\" beside"));
}

TEST(QuantisedError, GroupsMustDivideColumns) {
  TestCheckpoint checkpoint;
  checkpoint.config["moe_intermediate_size"] = 72;
  checkpoint.config["quantization_config"] = int4Config();
  checkpoint.write();
  EXPECT_THAT(checkpoint.import({.configOnly = true}), HasSubstr("has 72 columns, which do not divide into groups of 32"));
}

/// What import says of a config whose quantization_config is `quantisation`.
std::string say(Object quantisation) {
  TestCheckpoint checkpoint;
  checkpoint.config["quantization_config"] = std::move(quantisation);
  return checkpoint.import({.configOnly = true});
}

template <typename Config> std::string sayWith(Config config, const char *key, llvm::json::Value value) {
  Object object = config();
  object[key] = std::move(value);
  return say(std::move(object));
}

std::string sayWeights(const char *key, llvm::json::Value value) {
  Object weights = int4Weights();
  weights[key] = std::move(value);
  return say(int4Config(std::move(weights)));
}

TEST(QuantisedError, ConfigsAreReadKeyByKey) {
  EXPECT_THAT(say(Object{{"quant_method", "gptq"}}), HasSubstr("quantization_config: quant_method is \"gptq\"; fp8 and "
                                                         "compressed-tensors are supported"));
  auto int4 = [] { return int4Config(); };
  EXPECT_THAT(sayWith(fp8Config, "fmt", "e5m2"), HasSubstr("fmt is \"e5m2\"; only \"e4m3\" is supported"));
  EXPECT_THAT(sayWith(fp8Config, "activation_scheme", "static"), HasSubstr("only \"dynamic\" is supported"));
  EXPECT_THAT(sayWith(fp8Config, "weight_block_size", Array{64, 128}), HasSubstr("weight_block_size must be [128, 128]"));
  EXPECT_THAT(sayWith(fp8Config, "scale_fmt", "ue8m0"), HasSubstr("the key \"scale_fmt\" is not known here"));
  EXPECT_THAT(sayWith(int4, "format", "int-quantized"), HasSubstr("only \"pack-quantized\" is supported"));
  EXPECT_THAT(sayWith(int4, "kv_cache_scheme", Object{{"num_bits", 8}}), HasSubstr("the key \"kv_cache_scheme\""));
  EXPECT_THAT(sayWith(int4, "config_groups", Object{}), HasSubstr("config_groups must be one group"));
  EXPECT_THAT(sayWith(int4, "ignore", Array{"re:("}), HasSubstr("ignore holds \"re:(\", which is no regular expression"));
  EXPECT_THAT(sayWeights("num_bits", 8), HasSubstr("num_bits is 8 but must be an integer from 4 to 4"));
  EXPECT_THAT(sayWeights("group_size", 128), HasSubstr("group_size is 128"));
  EXPECT_THAT(sayWeights("symmetric", false), HasSubstr("symmetric is false"));
  EXPECT_THAT(sayWeights("actorder", "group"), HasSubstr("actorder must be null"));
}

} // namespace
} // namespace kimi::test
