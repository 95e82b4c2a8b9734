#include "runtime/kvcache/BlockPool.h"

#include <gtest/gtest.h>
#include <random>

namespace kimi::test {

using runtime::BlockPool;

TEST(BlockPoolTest, HandsOutEveryBlockOnce) {
  BlockPool pool(5);
  for (int32_t i = 0; i < 5; ++i)
    EXPECT_EQ(pool.allocate().value(), i);
  EXPECT_FALSE(pool.canAllocate(1));
  auto none = pool.allocate();
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().message, "all 5 cache blocks are held");
  EXPECT_TRUE(pool.check().has_value());
}

TEST(BlockPoolTest, SharedBlocksStayUntilTheLastHolderLeaves) {
  BlockPool pool(2);
  int32_t block = pool.allocate().value();
  ASSERT_TRUE(pool.retain(block).has_value());
  EXPECT_EQ(pool.numHolders(block), 2);
  ASSERT_TRUE(pool.release(block).has_value());
  EXPECT_EQ(pool.numFree(), 1);
  ASSERT_TRUE(pool.release(block).has_value());
  EXPECT_EQ(pool.numFree(), 2);
  EXPECT_TRUE(pool.check().has_value());
}

TEST(BlockPoolTest, RefusesWrongBlocks) {
  BlockPool pool(3);
  EXPECT_EQ(pool.release(1).error().message, "cannot release cache block 1: it is free");
  EXPECT_EQ(pool.retain(3).error().message, "cannot retain cache block 3: the pool has 3");
  EXPECT_EQ(pool.retain(-1).error().message, "cannot retain cache block -1: the pool has 3");
}

TEST(BlockPoolTest, BooksBalanceUnderRandomUse) {
  BlockPool pool(64);
  std::mt19937 random(3);
  std::vector<int32_t> held; // one entry per holder
  for (int i = 0; i < 5000; ++i) {
    unsigned action = random() % 3;
    if (action == 0 && pool.canAllocate(1)) {
      held.push_back(pool.allocate().value());
    } else if (action == 1 && !held.empty()) {
      held.push_back(held[random() % held.size()]);
      ASSERT_TRUE(pool.retain(held.back()).has_value());
    } else if (!held.empty()) {
      std::swap(held[random() % held.size()], held.back());
      ASSERT_TRUE(pool.release(held.back()).has_value());
      held.pop_back();
    }
    ASSERT_TRUE(pool.check().has_value());
  }
  while (!held.empty()) {
    ASSERT_TRUE(pool.release(held.back()).has_value());
    held.pop_back();
  }
  EXPECT_EQ(pool.numFree(), 64);
}

} // namespace kimi::test
