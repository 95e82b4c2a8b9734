// The published models, from their config.json alone: what a person reads of a whole K2 stays a few hundred lines.
#include "compiler/Registration.h"
#include "passes/partition/Passes.h"
#include "passes/specialise/Passes.h"
#include "tests/compiler/import/TestCheckpoint.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace kimi::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Paths of the published configs; empty where they are not at hand.
std::vector<std::string> findConfigs() {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto &entry : std::filesystem::directory_iterator(std::string(KIMI_SHARED_DATA) + "/config", ignored))
    if (entry.path().string().ends_with(".config.json"))
      paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  return paths;
}

TEST(WholeModel, EveryReleaseImportsFromItsConfigInAFewHundredLines) {
  const std::vector<std::string> paths = findConfigs();
  if (paths.empty())
    GTEST_SKIP() << "no configs in " << KIMI_SHARED_DATA;
  for (const std::string &path : paths) {
    const std::string text = importFolder(path, {.configOnly = true});
    EXPECT_THAT(text, StartsWith("module @kimi_k2")) << path;
    EXPECT_LT(std::ranges::count(text, '\n'), 500) << path;
    const bool isFloat8 = path.find("instruct") != std::string::npos;
    EXPECT_THAT(text, HasSubstr(isFloat8 ? "tensor<384x2048x7168xf8E4M3FN>, tensor<384x16x56xf32> -> "
                                         : "tensor<384x2048x7168xi4>, tensor<384x2048x224xbf16> -> ")) << path;
    EXPECT_THAT(text, HasSubstr("kimi.cache @latent : !kimi.cache<576 x bf16> layers 61"));
    const bool isInstruct = path.ends_with("kimi-k2-instruct.config.json");
    EXPECT_THAT(text, HasSubstr(isInstruct ? "scale 0.13086079996295" : "scale 0.14467962580268")) << path;
  }
}

TEST(WholeModel, EntriesStayReadable) {
  const std::vector<std::string> paths = findConfigs();
  if (paths.empty())
    GTEST_SKIP() << "no configs in " << KIMI_SHARED_DATA;
  for (const char *form : {"absorbed", "expanded"}) {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    mlir::MLIRContext context(registry);
    auto module = import_::importCheckpoint(context, paths.front(), {.prefillAttention = form, .configOnly = true});
    ASSERT_TRUE(static_cast<bool>(module)) << llvm::toString(module.takeError());
    mlir::PassManager passes(&context);
    passes::addPartitionPasses(passes);
    passes::addSpecialisePasses(passes);
    ASSERT_TRUE(mlir::succeeded(passes.run(**module)));
    std::string text;
    llvm::raw_string_ostream stream(text);
    (*module)->print(stream);
    EXPECT_LT(std::ranges::count(text, '\n'), 2500);
    EXPECT_THAT(text, HasSubstr("shard.grid @ranks(shape = 1)"));
    const bool isExpanded = llvm::StringRef(form) == "expanded";
    EXPECT_EQ(llvm::StringRef(text).contains("call @moe_layer_mixed("), isExpanded);
    EXPECT_EQ(llvm::StringRef(text).contains("kimi.latent_attention"), isExpanded);
    auto again = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    ASSERT_TRUE(again);
  }
}

} // namespace
} // namespace kimi::test
