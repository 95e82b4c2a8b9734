// The module that import writes: families, profiles, options, and what it says of a checkpoint that does not fit.
#include "tests/compiler/import/TestCheckpoint.h"

#include "dialects/kimi/Kimi.h"
#include "tests/golden/RandomCheckpoint.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kimi::test {
namespace {

using import_::ImportOptions;
using llvm::json::Object;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

size_t countOf(const std::string &text, const std::string &part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

TEST(Import, WritesModuleAttributes) {
  TestCheckpoint checkpoint;
  const std::string text = checkpoint.import();
  EXPECT_THAT(text, StartsWith("module @kimi_k2 attributes {"));
  EXPECT_THAT(text, HasSubstr("kimi.model = {context = 4096 : i64, hidden = 256 : i64, layers = 4 : i64, "
                              "name = \"kimi_k2\", vocabulary = 640 : i64}"));
  EXPECT_THAT(text, HasSubstr("kimi.numerics = \"bf16\""));
  EXPECT_THAT(text, HasSubstr("kimi.target = \"cpu:x86-64-v3\""));
  EXPECT_THAT(text, HasSubstr("kimi.mesh = 1 : i64"));
  EXPECT_THAT(text, HasSubstr("kimi.source = \"" + checkpoint.path().substr(0, checkpoint.path().size() - 1)));
  EXPECT_THAT(text, HasSubstr("kimi.options = {max_sequences = 16 : i64, max_tokens = 512 : i64, "
                              "prefill_attention = \"absorbed\"}"));
}

TEST(Import, WritesOneFamilyOfWeightsPerKindOfLayer) {
  TestCheckpoint checkpoint;
  const std::string text = checkpoint.import();
  for (const char *line : {
           "kimi.weight @embed_tokens : tensor<640x256xbf16> from \"model.embed_tokens.weight\"\n",
           "kimi.weight @lm_head : tensor<640x256xbf16> from \"lm_head.weight\"\n",
           "kimi.weight @dense.q_a_proj : tensor<96x256xbf16> from "
           "\"model.layers.{layer}.self_attn.q_a_proj.weight\" layers 0 count 1\n",
           "kimi.weight @dense.gate_proj : tensor<512x256xbf16> from "
           "\"model.layers.{layer}.mlp.gate_proj.weight\" layers 0 count 1\n",
           "kimi.weight @moe.kv_b_key : tensor<4x24x32xbf16> from "
           "\"model.layers.{layer}.self_attn.kv_b_proj.weight\" layers 1 count 3 "
           "rows <groups = 4, of = 48, 0 to 24>\n",
           "kimi.weight @moe.kv_b_value : tensor<4x24x32xbf16> from "
           "\"model.layers.{layer}.self_attn.kv_b_proj.weight\" layers 1 count 3 "
           "rows <groups = 4, of = 48, 24 to 48>\n",
           "kimi.weight @moe.e_score_correction_bias : tensor<16xf32> from "
           "\"model.layers.{layer}.mlp.gate.e_score_correction_bias\" layers 1 count 3\n",
           "kimi.weight @moe.experts.down_proj : tensor<16x256x64xbf16> from "
           "\"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight\" layers 1 count 3 experts 16\n",
           "kimi.weight @moe.shared_experts.up_proj : tensor<64x256xbf16>",
           "kimi.weight @rope_table : tensor<4096x2x8xf32> rope <dim = 16, theta = 5.000000e+04 : f64, "
           "factor = 3.200000e+01 : f64, original_context = 4096, beta_fast = 1.000000e+00 : f64, "
           "beta_slow = 1.000000e+00 : f64, magnitude = 1.000000e+00 : f64>\n",
           "kimi.cache @latent : !kimi.cache<48 x bf16> layers 4\n",
       })
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Import, CallsOneFunctionPerKindOfLayer) {
  TestCheckpoint checkpoint;
  const std::string text = checkpoint.import();
  EXPECT_EQ(countOf(text, "func.func private"), 2u);
  EXPECT_EQ(countOf(text, "call @dense_layer"), 1u);
  EXPECT_EQ(countOf(text, "call @moe_layer"), 3u);
  EXPECT_EQ(countOf(text, "kimi.step_output"), 6u);
  EXPECT_EQ(countOf(text, "kimi.latent_attention"), 2u);
}

TEST(Import, Bf16ProfileRoundsWhereTheReferenceStores) {
  TestCheckpoint checkpoint;
  const std::string text = checkpoint.import();
  EXPECT_THAT(text, HasSubstr("func.func private @moe_layer(%arg0: tensor<?x256xbf16>, %arg1: index) -> "
                              "tensor<?x256xbf16>"));
  // Attention 10 in each layer; dense MLP 3 (norm, activation, residual); experts 5; the final norm.
  EXPECT_EQ(countOf(text, "kimi.round"), 10u + 3u + 10u + 5u + 1u);
}

TEST(Import, F32ProfileRoundsNothing) {
  TestCheckpoint checkpoint;
  const std::string text = checkpoint.import({.numerics = "f32"});
  EXPECT_EQ(countOf(text, "kimi.round"), 0u);
  EXPECT_THAT(text, HasSubstr("func.func private @moe_layer(%arg0: tensor<?x256xf32>"));
  EXPECT_THAT(text, HasSubstr("kimi.cache @latent : !kimi.cache<48 x f32> layers 4"));
  EXPECT_THAT(text, HasSubstr("kimi.weight @lm_head : tensor<640x256xbf16>"));
}

TEST(Import, LatentNormsUseTheReferencesOwnEps) {
  TestCheckpoint checkpoint; // config.json says 1e-5
  const std::string text = checkpoint.import();
  EXPECT_EQ(countOf(text, "eps 9.9999999999999995E-7 : "), 4u);
  EXPECT_EQ(countOf(text, "eps 1.000000e-05 : "), 5u);
}

TEST(Import, ScaleHasTheSquaredYarnMagnitude) {
  TestCheckpoint checkpoint;
  checkpoint.config["qk_nope_head_dim"] = 128;
  checkpoint.config["qk_rope_head_dim"] = 64;
  checkpoint.listTensors();
  EXPECT_THAT(checkpoint.import(), HasSubstr("scale 0.13086079996295"));
}

TEST(Import, PlainRopeHasFactorOneAndThePlainScale) {
  TestCheckpoint checkpoint;
  checkpoint.config["rope_scaling"] = nullptr;
  checkpoint.config["qk_nope_head_dim"] = 48; // 1 / sqrt(64)
  checkpoint.listTensors();
  const std::string text = checkpoint.import();
  EXPECT_THAT(text, HasSubstr("factor = 1.000000e+00 : f64, original_context = 4096"));
  EXPECT_THAT(text, HasSubstr("scale 1.250000e-01 "));
}

TEST(Import, RopeMagnitudeIsTheRatioOfTheTwoMscales) {
  TestCheckpoint checkpoint;
  Object &yarn = *checkpoint.config.getObject("rope_scaling");
  yarn["mscale_all_dim"] = 0.5; // (0.1 ln 32 + 1) / (0.05 ln 32 + 1)
  EXPECT_THAT(checkpoint.import(), HasSubstr("magnitude = 1.14769"));
  yarn.erase("mscale_all_dim");
  EXPECT_THAT(checkpoint.import(), HasSubstr("magnitude = 1.34657359"));
  EXPECT_THAT(checkpoint.import(), HasSubstr("scale 0.158113883")); // 40^-1/2, no mscale
}

TEST(Import, WithoutQueryRankThereIsOneProjection) {
  TestCheckpoint checkpoint;
  checkpoint.config["q_lora_rank"] = nullptr;
  checkpoint.listTensors();
  const std::string text = checkpoint.import();
  EXPECT_THAT(text, HasSubstr("kimi.weight @moe.q_proj : tensor<160x256xbf16>"));
  EXPECT_THAT(text, Not(HasSubstr("q_a_proj")));
}

TEST(Import, SharedExpertsAreOneMlpOfTheirJointWidth) {
  TestCheckpoint checkpoint;
  checkpoint.config["n_shared_experts"] = 3;
  checkpoint.listTensors();
  EXPECT_THAT(checkpoint.import(), HasSubstr("kimi.weight @moe.shared_experts.gate_proj : tensor<192x256xbf16>"));
}

TEST(Import, GroupsReachTheRouter) {
  TestCheckpoint checkpoint;
  checkpoint.config["n_group"] = 4;
  checkpoint.config["topk_group"] = 2;
  checkpoint.config["norm_topk_prob"] = false;
  EXPECT_THAT(checkpoint.import(), HasSubstr("groups 4 keep 2 normalise false scaling 2.827000e+00"));
}

TEST(Import, BiasMayBeBf16) {
  TestCheckpoint checkpoint;
  for (TestTensor &tensor : checkpoint.tensors)
    if (llvm::StringRef(tensor.name).ends_with("e_score_correction_bias"))
      tensor.type = "BF16";
  EXPECT_THAT(checkpoint.import(), HasSubstr("kimi.weight @moe.e_score_correction_bias : tensor<16xbf16>"));
}

TEST(Import, TiedHeadIsTheEmbeddingTable) {
  TestCheckpoint checkpoint;
  checkpoint.config["tie_word_embeddings"] = true;
  checkpoint.drop("lm_head.weight");
  EXPECT_THAT(checkpoint.import(),
              HasSubstr("kimi.weight @lm_head : tensor<640x256xbf16> from \"model.embed_tokens.weight\""));
}

TEST(Import, AllLayersMayBeDense) {
  TestCheckpoint checkpoint;
  checkpoint.config["first_k_dense_replace"] = 9;
  checkpoint.config.erase("n_routed_experts");
  checkpoint.listTensors();
  const std::string text = checkpoint.import();
  EXPECT_EQ(countOf(text, "call @dense_layer"), 4u);
  EXPECT_THAT(text, Not(HasSubstr("moe")));
}

TEST(Import, PassesOverWhatTheRulesName) {
  TestCheckpoint checkpoint;
  checkpoint.config["num_nextn_predict_layers"] = 1;
  checkpoint.tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", "BF16", {14}});
  checkpoint.tensors.push_back({"model.layers.4.eh_proj.weight", "BF16", {256, 512}});
  std::vector<std::string> notes;
  EXPECT_THAT(checkpoint.import({}, &notes), StartsWith("module"));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("passed over 1 rotary_emb.inv_freq"),
                                 HasSubstr("passed over 1 tensors of multi-token prediction layers")));
}

TEST(Import, OptionsBecomeAttributes) {
  TestCheckpoint checkpoint;
  const std::string text = checkpoint.import({.target = "cpu:native",
                                              .mesh = 2,
                                              .maxContext = 1024,
                                              .maxSequences = 4,
                                              .maxTokens = 128,
                                              .prefillAttention = "expanded",
                                              .overrides = {"*=generated"}});
  EXPECT_THAT(text, HasSubstr("kimi.target = \"cpu:native\""));
  EXPECT_THAT(text, HasSubstr("kimi.mesh = 2 : i64"));
  EXPECT_THAT(text, HasSubstr("context = 1024 : i64"));
  EXPECT_THAT(text, HasSubstr("tensor<1024x2x8xf32>"));
  EXPECT_THAT(text, HasSubstr("{max_sequences = 4 : i64, max_tokens = 128 : i64, prefill_attention = \"expanded\"}"));
  EXPECT_THAT(text, HasSubstr("kimi.overrides = [\"*=generated\"]"));
}

TEST(Import, ShardsAreTheSameModel) {
  TestCheckpoint checkpoint;
  const std::string single = checkpoint.import();
  std::filesystem::remove(checkpoint.path("model.safetensors"));
  checkpoint.writeShards();
  EXPECT_EQ(importFolder(checkpoint.path()), single);
}

TEST(Import, ConfigOnlyNeedsNoWeights) {
  TestCheckpoint checkpoint;
  const std::string withWeights = checkpoint.import();
  std::filesystem::remove(checkpoint.path("model.safetensors"));
  EXPECT_EQ(importFolder(checkpoint.path(), {.configOnly = true}), withWeights);
  const std::string file = importFolder(checkpoint.path("config.json"), {.configOnly = true});
  EXPECT_THAT(file, StartsWith("module @kimi_k2"));
}

TEST(Import, DumpReentersByteIdentically) {
  for (const char *numerics : {"bf16", "f32"}) {
    TestCheckpoint checkpoint;
    const std::string text = checkpoint.import({.numerics = numerics});
    mlir::MLIRContext context;
    context.loadDialect<model::KimiDialect, mlir::func::FuncDialect>();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    ASSERT_TRUE(module) << numerics;
    std::string again;
    llvm::raw_string_ostream stream(again);
    module->print(stream);
    EXPECT_EQ(again, text);
  }
}

TEST(Import, RandomCheckpointsOfEveryFamily) {
  for (const std::string &family : golden::listFamilies()) {
    for (int shards : {1, 3}) {
      TestCheckpoint folder;
      ASSERT_TRUE(golden::writeRandomCheckpoint(family, folder.path(), {.numShards = shards}).has_value()) << family;
      std::vector<std::string> notes;
      EXPECT_THAT(importFolder(folder.path(), {}, &notes), StartsWith("module @")) << family;
      if (family == "k25") {
        EXPECT_THAT(notes, ElementsAre(HasSubstr("passed over 2 tensors outside the text model")));
      }
    }
  }
}

//===- what does not fit -------------------------------------------------------------------------------------===//

TEST(ImportError, NamesTheMissingTensor) {
  TestCheckpoint checkpoint;
  checkpoint.drop("model.layers.2.mlp.experts.5.up_proj.weight");
  EXPECT_EQ(checkpoint.import(), "error: the checkpoint has no tensor "
                                 "\"model.layers.2.mlp.experts.5.up_proj.weight\"; config.json asks for BF16 "
                                 "[64, 256]");
}

TEST(ImportError, NamesBothShapes) {
  TestCheckpoint checkpoint;
  checkpoint.tensor("model.layers.0.self_attn.o_proj.weight").shape = {96, 256};
  EXPECT_EQ(checkpoint.import(), "error: tensor \"model.layers.0.self_attn.o_proj.weight\" is [96, 256] but "
                                 "config.json asks for [256, 96]");
}

TEST(ImportError, NamesBothTypes) {
  TestCheckpoint checkpoint;
  checkpoint.tensor("lm_head.weight").type = "F16";
  EXPECT_EQ(checkpoint.import(), "error: tensor \"lm_head.weight\" is F16 but must be BF16");
  checkpoint.listTensors();
  checkpoint.tensor("model.layers.1.mlp.gate.e_score_correction_bias").type = "F64";
  EXPECT_THAT(checkpoint.import(), HasSubstr("is F64 but must be F32 or BF16"));
  checkpoint.listTensors();
  checkpoint.tensor("model.layers.2.mlp.gate.e_score_correction_bias").type = "BF16";
  EXPECT_THAT(checkpoint.import(), HasSubstr("is BF16 but must be F32 as in the layers and experts before it"));
}

TEST(ImportError, NamesTheSurplusTensor) {
  TestCheckpoint checkpoint;
  checkpoint.tensors.push_back({"model.layers.4.input_layernorm.weight", "BF16", {256}});
  EXPECT_EQ(checkpoint.import(), "error: the checkpoint has the tensor \"model.layers.4.input_layernorm.weight\" "
                                 "(BF16 [256]) that a model of this config.json does not have");
}

TEST(ImportError, Options) {
  TestCheckpoint checkpoint;
  EXPECT_THAT(checkpoint.import({.numerics = "fp8"}), HasSubstr("profile is \"fp8\"; f32, bf16, w8a16, w4a16 are supported"));
  EXPECT_THAT(checkpoint.import({.maxContext = 8192}), HasSubstr("8192 is wanted but max_position_embeddings is 4096"));
  EXPECT_THAT(checkpoint.import({.maxContext = 0}), HasSubstr("the context is 0 but must be from 1 to 4096"));
  EXPECT_THAT(checkpoint.import({.maxSequences = 0}), HasSubstr("max_sequences is 0 but must be from 1"));
  EXPECT_THAT(checkpoint.import({.maxTokens = -1}), HasSubstr("max_tokens is -1 but must be from 1"));
  EXPECT_THAT(checkpoint.import({.mesh = 0}), HasSubstr("the mesh is 0 but must be from 1"));
  EXPECT_THAT(checkpoint.import({.prefillAttention = "flash"}), HasSubstr("absorbed and expanded are supported"));
}

TEST(ImportError, MissingFiles) {
  TestCheckpoint checkpoint;
  EXPECT_THAT(importFolder(checkpoint.path("nowhere")), HasSubstr("nowhere does not exist"));
  EXPECT_THAT(importFolder(checkpoint.path()), HasSubstr("has no config.json"));
  checkpoint.write();
  EXPECT_THAT(importFolder(checkpoint.path("model.safetensors")), HasSubstr("is a file but a checkpoint is a folder"));
  std::filesystem::remove(checkpoint.path("model.safetensors"));
  EXPECT_THAT(importFolder(checkpoint.path()), HasSubstr("has neither model.safetensors nor"));
}

} // namespace
} // namespace kimi::test
