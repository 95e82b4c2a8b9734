#include "compiler/emit/Parallel.h"

#include "compiler/import/Json.h"

#include <atomic>
#include <gmock/gmock.h>

using namespace kimi::emit;

TEST(Parallel, CallsEachOnce) {
  for (unsigned threads : {1u, 2u, 7u}) {
    std::vector<std::atomic<int>> calls(100);
    ASSERT_FALSE(bool(parallelFor(calls.size(), threads, [&](size_t i) {
      ++calls[i];
      return llvm::Error::success();
    })));
    for (std::atomic<int> &count : calls)
      EXPECT_EQ(count, 1);
  }
}

TEST(Parallel, StopsAtTheFirstError) {
  std::atomic<int> calls = 0;
  llvm::Error error = parallelFor(1000, 1, [&](size_t i) -> llvm::Error {
    ++calls;
    return i == 3 ? kimi::import_::makeError("three") : llvm::Error::success();
  });
  EXPECT_EQ(llvm::toString(std::move(error)), "three");
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(llvm::toString(parallelFor(8, 4, [](size_t) { return kimi::import_::makeError("all"); })), "all");
}
