#include "compiler/emit/Files.h"
#include "tests/compiler/emit/ScratchFolder.h"

#include <gmock/gmock.h>
#include <thread>

using namespace kimi::emit;
using kimi::test::ScratchFolder;
using testing::HasSubstr;
using testing::StartsWith;

template <typename T> static std::string messageOf(llvm::Expected<T> expected) {
  return expected ? "no error" : llvm::toString(expected.takeError());
}

// The vectors of XXH3-128's specification: the runtime computes the same.
TEST(Files, HashIsXxh3OfTheBytes) {
  EXPECT_EQ(hashOf({}), "99aa06d3014798d86001c324468d497f");
  Hasher pieces;
  pieces.update(llvm::ArrayRef<char>("ab", 2));
  pieces.update(llvm::ArrayRef<char>("c", 1));
  EXPECT_EQ(pieces.hex(), hashOf(llvm::ArrayRef<char>("abc", 3)));
  EXPECT_EQ(pieces.hex().size(), 32u);
}

TEST(Files, WrittenFilesAreRecordedAndReadBack) {
  ScratchFolder folder;
  llvm::Expected<OutputFile> file = OutputFile::create(folder.path("a"));
  ASSERT_TRUE(bool(file));
  ASSERT_FALSE(bool(file->append(llvm::ArrayRef<char>("abc", 3))));
  ASSERT_FALSE(bool(file->padTo(8)));
  ASSERT_FALSE(bool(file->padTo(8)));
  llvm::Expected<FileRecord> record = file->finish("a");
  ASSERT_TRUE(bool(record));
  EXPECT_EQ(folder.read("a"), std::string("abc\0\0\0\0\0", 8));
  EXPECT_EQ(record->bytes, 8u);
  llvm::Expected<FileRecord> found = hashFile(folder.path(), "a");
  ASSERT_TRUE(bool(found));
  EXPECT_EQ(found->hash, record->hash);
  EXPECT_EQ(found->bytes, 8u);
}

TEST(Files, CopiesLargeFiles) {
  ScratchFolder folder;
  std::string bytes((size_t(9) << 20) + 5, 'x');
  bytes[size_t(5) << 20] = 'y';
  folder.write("from", bytes);
  llvm::Expected<FileRecord> record = copyFile(folder.path("from"), folder.path(), "to");
  ASSERT_TRUE(bool(record));
  EXPECT_EQ(folder.read("to"), bytes);
  EXPECT_EQ(record->hash, hashOf(bytes));
}

TEST(Files, ErrorsNameThePath) {
  ScratchFolder folder;
  EXPECT_EQ(messageOf(InputFile::open(folder.path("none"))),
            "cannot read " + folder.path("none") + ": No such file or directory");
  EXPECT_THAT(messageOf(OutputFile::create(folder.path("none/a"))), StartsWith("cannot create " + folder.path("none/a")));
  folder.write("short", "abc");
  llvm::Expected<InputFile> file = InputFile::open(folder.path("short"));
  ASSERT_TRUE(bool(file));
  std::vector<char> bytes(4);
  EXPECT_THAT(llvm::toString(file->read(1, bytes)), HasSubstr("short has 3 bytes but 5 were expected"));
}

// /dev/full takes nothing, like a full disk.
TEST(Files, FullDiskIsAnError) {
  llvm::Expected<OutputFile> file = OutputFile::create("/dev/full");
  ASSERT_TRUE(bool(file));
  EXPECT_THAT(llvm::toString(file->append(llvm::ArrayRef<char>("abc", 3))),
              testing::MatchesRegex("cannot write /dev/full: No space left on device: 3 bytes wanted, [0-9]+ available; "
                                    "make room and run the same command"));
}

// More than any disk has: refused before a byte is written.
TEST(Files, RoomIsAskedForFirst) {
  ScratchFolder folder;
  EXPECT_THAT(messageOf(OutputFile::create(folder.path("a"), uint64_t(1) << 60)),
              testing::MatchesRegex("cannot write .*/a: No space left on device: 1152921504606846976 bytes wanted, "
                                    "[0-9]+ available; make room and run the same command"));
}

TEST(Files, ReservedRoomIsNotSize) {
  ScratchFolder folder;
  llvm::Expected<OutputFile> file = OutputFile::create(folder.path("a"), 1 << 20);
  ASSERT_TRUE(bool(file));
  ASSERT_FALSE(bool(file->append(llvm::ArrayRef<char>("abc", 3))));
  ASSERT_TRUE(bool(file->finish("a")));
  EXPECT_EQ(folder.read("a"), "abc");
}

TEST(Files, IdentityChangesWithTheBytes) {
  ScratchFolder folder;
  folder.write("a", "abc");
  auto identityOf = [&] {
    llvm::Expected<InputFile> file = InputFile::open(folder.path("a"));
    return *file->identity();
  };
  const FileIdentity before = identityOf();
  EXPECT_EQ(before.path, folder.path("a"));
  EXPECT_EQ(before.bytes, 3u);
  EXPECT_EQ(identityOf(), before);
  std::this_thread::sleep_for(std::chrono::milliseconds(30)); // the clock of the file system advances in steps
  const auto modified = std::filesystem::last_write_time(folder.path("a"));
  folder.write("a", "xyz");
  std::filesystem::last_write_time(folder.path("a"), modified); // as some copying programs do
  EXPECT_NE(identityOf(), before);
}

TEST(Files, OnlyRegularFilesAreRead) {
  ScratchFolder folder;
  EXPECT_EQ(messageOf(InputFile::open(folder.path())), "cannot read " + folder.path() + ": it is not a regular file");
}
