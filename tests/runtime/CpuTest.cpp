#include "runtime/base/Hash.h"
#include "runtime/base/Status.h"
#include "runtime/base/TextTable.h"
#include "runtime/base/Units.h"
#include "runtime/cpu/Code.h"
#include "runtime/cpu/Target.h"
#include "tests/runtime/ToyArtifact.h"

#include <elf.h>
#include <gtest/gtest.h>

namespace kimi::test {

using namespace runtime;

static std::span<const std::byte> bytesOf(const std::string &text) { return std::as_bytes(std::span(text)); }

TEST(CodeTest, FindsKernels) {
  auto code = Code::load(bytesOf(readFile(KIMI_TOY_KERNELS)), "toy");
  ASSERT_TRUE(code.has_value()) << code.error().message;
  EXPECT_NE(code->find("toy_add"), nullptr);
  EXPECT_EQ(code->find("toy_nothing"), nullptr);
}

TEST(CodeTest, RefusesOtherMachines) {
  std::string object = readFile(KIMI_TOY_KERNELS);
  auto header = reinterpret_cast<Elf64_Ehdr *>(object.data());
  header->e_machine = header->e_machine == EM_X86_64 ? EM_AARCH64 : EM_X86_64;
  auto code = Code::load(bytesOf(object), "toy");
  ASSERT_FALSE(code.has_value());
  EXPECT_NE(code.error().message.find("toy: holds code for "), std::string::npos) << code.error().message;
}

TEST(CodeTest, RefusesWhatIsNoSharedObject) {
  std::string object = readFile(KIMI_TOY_KERNELS);
  EXPECT_FALSE(Code::load({}, "empty").has_value());
  EXPECT_FALSE(Code::load(bytesOf(std::string(200, 'x')), "text").has_value());
  EXPECT_FALSE(Code::load(bytesOf(object.substr(0, 64)), "truncated").has_value());
  std::string executable = object;
  reinterpret_cast<Elf64_Ehdr *>(executable.data())->e_type = ET_REL;
  EXPECT_FALSE(Code::load(bytesOf(executable), "relocatable").has_value());
}

static std::string refusal(std::string_view target, const Processor &processor) {
  auto status = checkTarget(target, processor);
  return status ? "" : status.error().message;
}

TEST(TargetTest, HostRunsItsOwnLevel) {
  Processor host = Processor::host();
  EXPECT_FALSE(host.features.empty());
#if defined(__x86_64__)
  EXPECT_EQ(host.machine, "x86_64");
  EXPECT_EQ(refusal("cpu:native(sse4.2,cx16)", host), "");
#endif
}

TEST(TargetTest, NamesMissingFeatures) {
  Processor small{"x86_64", {"sse41", "sse42"}};
  EXPECT_EQ(refusal("cpu:native(sse4.1,sse4_2)", small), "");
  EXPECT_EQ(refusal("cpu:native(sse4.1,avx2,fma)", small),
            "compiled for cpu:native, but this processor lacks avx2, fma");
  EXPECT_NE(refusal("cpu:x86-64-v3", small).find("avx2"), std::string::npos);
  EXPECT_NE(refusal("cpu:aarch64", small).find("this machine is x86_64"), std::string::npos);
  EXPECT_NE(refusal("cpu:riscv", small).find("compiled for target cpu:riscv"), std::string::npos);
  EXPECT_NE(refusal("cpu:native", small).find("without the features it needs"), std::string::npos);
  EXPECT_NE(refusal("", small), "");
}

TEST(TargetTest, LevelsContainEachOther) {
  Processor v3{"x86_64",
               {"cx16", "lahflm", "popcnt", "sse41", "sse42", "ssse3", "avx", "avx2", "bmi1", "bmi2", "f16c",
                "fma", "abm", "movbe"}};
  EXPECT_EQ(refusal("cpu:x86-64-v3", v3), "");
  EXPECT_NE(refusal("cpu:x86-64-v4", v3).find("avx512f"), std::string::npos);
  EXPECT_EQ(refusal("cpu:native(lzcnt,avx2)", v3), "");
}

TEST(HashTest, KnownValues) {
  // The values of the reference implementation's xxhsum -H2.
  EXPECT_EQ(hashHex({}), "99aa06d3014798d86001c324468d497f");
  std::string text(10'000'000, 'k');
  std::atomic<uint64_t> hashed = 0;
  std::atomic<bool> stop = false;
  EXPECT_EQ(hashHex(bytesOf(text), hashed, stop), hashHex(bytesOf(text)));
  EXPECT_EQ(hashed, text.size());
  stop = true;
  EXPECT_EQ(hashHex(bytesOf(text), hashed, stop), "");
}

TEST(UnitsTest, ReadsWell) {
  EXPECT_EQ(formatBytes(0), "0 B");
  EXPECT_EQ(formatBytes(1023), "1023 B");
  EXPECT_EQ(formatBytes(1536), "1.50 KiB");
  EXPECT_EQ(formatBytes(123.0 * (1 << 30)), "123 GiB");
  EXPECT_EQ(formatCount(9999), "9999");
  EXPECT_EQ(formatCount(2.5e9), "2.50 G");
  EXPECT_EQ(formatSeconds(0.0123), "12.30 ms");
}

TEST(OneLineTest, ControlCharactersAreSpelledOut) {
  EXPECT_EQ(oneLine("two\nlines\x7F"), "two\\x0Alines\\x7F");
  EXPECT_EQ(oneLine(oneLine("two\nlines")), oneLine("two\nlines"));
  EXPECT_EQ(oneLine("größer"), "größer");
  EXPECT_EQ(failure("names \"a\nb\"").error().message, "names \"a\\x0Ab\"");
}

TEST(OneLineTest, ShortenedKeepsCharactersWhole) {
  EXPECT_EQ(shortened("abcd", 4), "abcd");
  EXPECT_EQ(shortened("abcde", 4), "abcd…");
  EXPECT_EQ(shortened("abcéf", 4), "abc…"); // é has two bytes
}

TEST(TextTableTest, Aligns) {
  TextTable table({"name", ">µs"});
  table.addRow({"a", "1"});
  table.addRow({"long", "1000"});
  EXPECT_EQ(table.text(), "  name    µs\n  a        1\n  long  1000\n");
}

} // namespace kimi::test
