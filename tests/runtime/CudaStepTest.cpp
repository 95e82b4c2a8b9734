// What of the step inputs goes to a device, and when it gets there.
#include "runtime/cuda/Device.h"
#include "runtime/engine/StepTable.h"
#include "tests/runtime/CudaToy.h"

#include <fmt/format.h>

namespace kimi::test {

using namespace artifact;
using namespace runtime;

class CudaStepTest : public CudaTest {
protected:
  static constexpr uint32_t kColumns = 5120; // of a block table whose rows are 20 KiB

  static void useLongTables(PlanT &plan) {
    plan.model->context_length = kColumns * kBlockTokens;
    for (auto &entry : plan.ranks[0]->entries)
      entry->capacity->max_table_blocks = kColumns;
  }

  void expectStepRefused(const char *message) {
    auto status = engine->step();
    ASSERT_FALSE(status.has_value()) << message;
    EXPECT_EQ(status.error().message, message);
  }
};

TEST_F(CudaStepTest, OnlyTheUsedColumnsOfLongTablesAreCopied) {
  load(defaultOptions(), useLongTables);
  std::vector<int32_t> longest(61, 5);
  std::vector<std::vector<int32_t>> sequences{{1, 2}, {3}, {4}, {5, 6}};
  int64_t copies = fake->copiesToDevice, bytes = fake->bytesToDevice;
  runStep({{0, sequences[0], {9}}, {0, sequences[1], {0}}, {0, sequences[2], {200}}, {0, sequences[3], {1}}});
  EXPECT_EQ(fake->copiesToDevice - copies, 2);
  EXPECT_LT(fake->bytesToDevice - bytes, 8 << 10); // rows alone are 80 KiB
  for (size_t s = 0; s < 4; ++s)
    expectRow(s, sequences[s]);
  // Decoding, across a block's end for one of them: in the graph of four.
  runStep({{0, longest, {11}}});
  runStep({{61, {6, 7}, {11}}});
  runStep({{63, {8}, {11}}, {2, {9}, {1}}, {1, {10}, {200}}, {2, {11}, {9}}});
  runStep({{64, {12}, {11, 4}}, {3, {13}, {1}}, {2, {14}, {200}}, {3, {15}, {9}}});
  longest.insert(longest.end(), {6, 7, 8, 12});
  expectRow(0, longest);
  expectRow(1, {5, 6, 9, 13});
  expectRow(2, {4, 10, 14});
  expectRow(3, {1, 2, 11, 15});
}

TEST_F(CudaStepTest, ColumnsThatAreCopiedAreChecked) {
  load(defaultOptions(), useLongTables);
  std::vector<ToySequence> four{{0, {1}, {0}}, {0, {2}, {1}}, {0, {3}, {2}}, {0, {4}, {3}}};
  fillStep(*engine, four);
  engine->inputs().blockTables[kColumns + 15] = -1; // of the first line of row 1
  expectStepRefused("blockTables[5135] is -1, expected 0 to 255");
  fillStep(*engine, four);
  engine->inputs().blockTables[kColumns + 16] = -1; // which stays on the host
  ASSERT_TRUE(engine->step().has_value());
  expectRow(1, {2});
  fillStep(*engine, {{0, {1}, {0}}}); // one row is copied whole
  engine->inputs().blockTables[kColumns - 1] = 256;
  expectStepRefused("blockTables[5119] is 256, expected 0 to 255");
}

/// A table with room to tell its parts apart: K2's vocabulary, 128 sequences.
class UsedInputsTest : public testing::Test {
protected:
  void SetUp() override {
    auto created = StepTable::create(limits, kVocabulary);
    ASSERT_TRUE(created.has_value());
    table = std::move(*created);
    StepInputs &in = table.inputs();
    in.numTokens = in.numSequences = in.numLogitRows = 4;
    in.positions[3] = 5000;
  }

  ByteRanges used() const {
    return table.layout().usedInputs(table.inputs(), table.layout().usedColumns(table.inputs()));
  }

  /// How many of an input's elements, from the first on, lie in the ranges. Elements come whole.
  int64_t copied(StepInput input) const {
    uint64_t begin = table.layout().offset(input), bytes = 0;
    uint64_t all = uint64_t(numElements(input, limits, kVocabulary)) * 4;
    ByteRanges ranges = used();
    for (const ByteRange &range : ranges.ranges())
      if (range.offset <= begin && begin < range.offset + range.bytes)
        bytes = std::min(all, range.offset + range.bytes - begin);
    EXPECT_EQ(bytes % 4, 0u);
    return int64_t(bytes / 4);
  }

  static constexpr uint32_t kVocabulary = 163840, kMaskWords = kVocabulary / 32;
  const Limits limits{.maxTokens = 8192,
                      .maxSequences = 128,
                      .maxLogitRows = 128,
                      .maxTableBlocks = 2048,
                      .maxBiasEntries = 38400,
                      .maxPenaltyEntries = 524288,
                      .cacheBlocks = 1000};
  StepTable table;
};

TEST_F(UsedInputsTest, AGreedyStepHasNoListsAndNoMask) {
  EXPECT_GE(copied(StepInput::token_ids), 4);
  EXPECT_GE(copied(StepInput::logprob_counts), 4);
  EXPECT_EQ(copied(StepInput::block_tables), 4 * 2048); // 32 KiB: whole rows
  for (StepInput input : {StepInput::bias_tokens, StepInput::penalty_tokens, StepInput::token_mask})
    EXPECT_EQ(copied(input), 0) << EnumNameStepInput(input);
}

TEST_F(UsedInputsTest, MasksUpToTheLastRowThatHasOne) {
  table.inputs().maskRows[2] = 1;
  EXPECT_EQ(copied(StepInput::token_mask), 3 * int64_t(kMaskWords));
  table.inputs().maskRows[3] = 1;
  EXPECT_EQ(copied(StepInput::token_mask), 4 * int64_t(kMaskWords));
  table.inputs().numLogitRows = 2;
  EXPECT_EQ(copied(StepInput::token_mask), 0);
  table.inputs().numLogitRows = 0;
  EXPECT_EQ(copied(StepInput::token_mask), 0);
}

TEST_F(UsedInputsTest, BiasAndPenaltiesAsManyAsThereAre) {
  table.inputs().numBiasEntries = 300;
  EXPECT_EQ(copied(StepInput::bias_tokens), 300);
  EXPECT_EQ(copied(StepInput::bias_values), 300);
  EXPECT_EQ(copied(StepInput::penalty_tokens), 0);
  table.inputs().numPenaltyEntries = 70000;
  EXPECT_EQ(copied(StepInput::penalty_tokens), 70000);
  EXPECT_EQ(copied(StepInput::penalty_counts), 70000);
  EXPECT_EQ(copied(StepInput::block_tables), 4 * 2048);
  EXPECT_EQ(copied(StepInput::token_mask), 0);
}

TEST_F(UsedInputsTest, ColumnsOfManyRows) {
  EXPECT_EQ(table.layout().usedColumns(table.inputs()), 2048); // 32 KiB
  table.inputs().numSequences = table.inputs().numTokens = 9;
  EXPECT_EQ(table.layout().usedColumns(table.inputs()), 80); // position 5000 is in column 78
  EXPECT_EQ(copied(StepInput::block_tables), 0);
  table.inputs().positions[8] = 131071;
  EXPECT_EQ(table.layout().usedColumns(table.inputs()), 2048);
  EXPECT_EQ(copied(StepInput::block_tables), 9 * 2048);
}

// Rows that nobody checked must not get to the device with what lies behind them.
TEST_F(UsedInputsTest, NoRangeHoldsRowsThatTheStepDoesNotHave) {
  for (int64_t sequences : {1, 4, 8, 120, 127, 128}) {
    StepInputs &in = table.inputs();
    in.numTokens = in.numSequences = in.numLogitRows = sequences;
    in.numBiasEntries = 1;
    in.positions[0] = 131071; // every column
    EXPECT_EQ(copied(StepInput::block_tables), sequences * 2048);
  }
}

TEST_F(CudaStepTest, WhatIsQueuedHappensWhenSomebodyWaits) {
  using namespace cuda;
  auto device = Device::open();
  auto stream = device->createStream();
  auto memory = DeviceBuffer::allocate(*device, 64, "test");
  auto from = PinnedBuffer::allocate(*device, 64, "test"), to = PinnedBuffer::allocate(*device, 64, "test"),
       gate = PinnedBuffer::allocate(*device, 4, "test");
  const Driver &driver = device->driver();
  auto queueCopies = [&](const char *text) {
    ASSERT_TRUE(driver.cuMemcpyHtoDAsync(memory->address(), from->data(), 64, stream->get()));
    ASSERT_TRUE(driver.cuMemcpyDtoHAsync(to->data(), memory->address(), 64, stream->get()));
    std::snprintf(reinterpret_cast<char *>(from->data()), 64, "%s", text); // too late or not?
  };
  auto arrived = [&] { return std::string(reinterpret_cast<char *>(to->data())); };
  queueCopies("written after the copy was queued");
  EXPECT_EQ(arrived(), "");
  ASSERT_TRUE(driver.cuStreamSynchronize(stream->get()));
  EXPECT_EQ(arrived(), "written after the copy was queued");

  ASSERT_TRUE(
      driver.cuStreamWaitValue32(stream->get(), CUdeviceptr(gate->data()), 7, CU_STREAM_WAIT_VALUE_GEQ));
  queueCopies("behind the gate");
  *reinterpret_cast<uint32_t *>(gate->data()) = 6;
  auto status = driver.cuStreamSynchronize(stream->get());
  ASSERT_FALSE(status.has_value());
  expectOneLine(status.error().message,
                {"cuStreamSynchronize: CUDA_ERROR_LAUNCH_TIMEOUT"}); // a device would hang
  EXPECT_EQ(arrived(), "written after the copy was queued");
  *reinterpret_cast<uint32_t *>(gate->data()) = 7;
  ASSERT_TRUE(driver.cuStreamSynchronize(stream->get()));
  EXPECT_EQ(arrived(), "behind the gate");
}

} // namespace kimi::test
