#include "compiler/emit/PackLog.h"
#include "tests/compiler/emit/ScratchFolder.h"

#include <gmock/gmock.h>

using namespace kimi::emit;
using kimi::test::ScratchFolder;

static const std::string kHash = "0123456789abcdef0123456789abcdef";

static PackLogLine lineFor(const std::string &recipe, uint64_t bytes) {
  return {recipe, {weightPath(kHash), bytes, kHash}, "moe.gate 3"};
}

TEST(PackLog, LinesComeBack) {
  ScratchFolder folder;
  {
    llvm::Expected<PackLogWriter> writer = PackLogWriter::open(folder.path());
    ASSERT_TRUE(bool(writer));
    ASSERT_FALSE(bool(writer->append(lineFor("a", 4096))));
    ASSERT_FALSE(bool(writer->append(lineFor("b", 8192))));
  }
  const PackLog log = PackLog::read(folder.path());
  ASSERT_TRUE(log.find("a") && log.find("b"));
  EXPECT_EQ(log.find("c"), nullptr);
  EXPECT_EQ(log.find("b")->path, "weights/" + kHash + ".bin");
  EXPECT_EQ(log.find("b")->bytes, 8192u);
  EXPECT_EQ(log.find("b")->hash, kHash);
}

TEST(PackLog, WithoutAFileItIsEmpty) {
  ScratchFolder folder;
  EXPECT_EQ(PackLog::read(folder.path()).find("a"), nullptr);
}

// A kill cuts the last line off, a crash of the machine leaves zeros; what follows is read all the same.
TEST(PackLog, LinesThatAreNotWholeArePassedOver) {
  ScratchFolder folder;
  const std::string good = R"({"recipe":"a","path":"weights/)" + kHash + R"(.bin","bytes":1,"weight":"w"})";
  folder.write(kPackLogName.str(), good.substr(0, 40) + "\n" + std::string(20, '\0') + "\n[1]\n{}\n" +
                                       R"({"recipe":"n","path":"weights/)" + kHash + R"(.bin","bytes":-1})" + "\n" +
                                       R"({"recipe":"p","path":"../secret","bytes":1})" + "\n" +
                                       R"({"recipe":"q","path":"weights/../../x.bin","bytes":1})" + "\n" + good + "\n" +
                                       good.substr(0, 60));
  const PackLog log = PackLog::read(folder.path());
  EXPECT_TRUE(log.find("a"));
  for (const char *recipe : {"n", "p", "q"})
    EXPECT_EQ(log.find(recipe), nullptr) << recipe;
  llvm::Expected<PackLogWriter> writer = PackLogWriter::open(folder.path());
  ASSERT_TRUE(bool(writer));
  ASSERT_FALSE(bool(writer->append(lineFor("after", 1))));
  EXPECT_TRUE(PackLog::read(folder.path()).find("after"));
}

TEST(PackLog, IsReplacedAsAWhole) {
  ScratchFolder folder;
  ASSERT_FALSE(bool(writePackLog(folder.path(), {lineFor("a", 1)})));
  ASSERT_FALSE(bool(writePackLog(folder.path(), {lineFor("b", 1)})));
  EXPECT_EQ(PackLog::read(folder.path()).find("a"), nullptr);
  EXPECT_TRUE(PackLog::read(folder.path()).find("b"));
  EXPECT_FALSE(std::filesystem::exists(folder.path("pack.jsonl.part")));
}
