// Pieces of runtime/cuda by themselves, on the fake driver.
#include "runtime/base/Hash.h"
#include "runtime/cuda/Ceilings.h"
#include "runtime/cuda/Target.h"
#include "runtime/cuda/WeightStreamer.h"
#include "runtime/engine/StepLayout.h"
#include "tests/runtime/CudaToy.h"

#include <random>

namespace kimi::test {

using namespace runtime;
using namespace runtime::cuda;

class CudaDeviceTest : public CudaTest {
protected:
  static std::string randomBytes(size_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::string bytes(count, '\0');
    for (char &byte : bytes)
      byte = char(random());
    return bytes;
  }

  std::string readBack(const Device &device, CUdeviceptr address, size_t bytes) {
    std::string text(bytes, '\0');
    EXPECT_TRUE(device.driver().cuMemcpyDtoHAsync(text.data(), address, bytes, nullptr));
    return text;
  }
};

TEST_F(CudaDeviceTest, StreamsFilesOfAllSizes) {
  auto device = Device::open();
  ASSERT_TRUE(device.has_value());
  std::vector<std::string> contents;
  uint64_t total = 0;
  for (size_t bytes : {size_t(0), size_t(1), size_t(4096), (size_t(4) << 20) - 1, size_t(4) << 20,
                       size_t(17) << 20, size_t(12345)}) {
    contents.push_back(randomBytes(bytes, uint32_t(bytes)));
    total += bytes;
  }
  for (int threads : {1, 3}) {
    auto memory = DeviceBuffer::allocate(*device, total, "test");
    ASSERT_TRUE(memory.has_value());
    std::vector<FileToStream> files;
    CUdeviceptr next = memory->address();
    for (size_t i = 0; i < contents.size(); ++i) {
      auto path = scratch.path() / std::to_string(i);
      writeFile(path, contents[i]);
      files.push_back({path, contents[i].size(), hashHex(std::as_bytes(std::span(contents[i]))), next});
      next += contents[i].size();
    }
    uint64_t lastDone = 0, lastTotal = 0;
    auto status = streamFiles(*device, files, threads,
                              [&](uint64_t done, uint64_t all) { lastDone = done, lastTotal = all; });
    ASSERT_TRUE(status.has_value()) << status.error().message;
    EXPECT_EQ(lastDone, total);
    EXPECT_EQ(lastTotal, total);
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_TRUE(contents[i].empty() ||
                  readBack(*device, files[i].destination, contents[i].size()) == contents[i])
          << i;
    }
  }
}

TEST_F(CudaDeviceTest, StreamingSaysWhatIsWrongWithAFile) {
  auto device = Device::open();
  auto memory = DeviceBuffer::allocate(*device, 1 << 20, "test");
  writeFile(scratch.path() / "a", std::string(1000, 'a'));
  auto stream = [&](const char *name, uint64_t bytes, const char *hash) {
    FileToStream file{scratch.path() / name, bytes, hash, memory->address()};
    auto status = streamFiles(*device, {&file, 1}, 2, {});
    return status ? std::string() : status.error().message;
  };
  EXPECT_EQ(stream("a", 1000, ""), "");
  expectOneLine(stream("b", 1000, ""), {"/b: cannot open: No such file"});
  expectOneLine(stream("a", 1001, ""), {"/a: ends after 1000 bytes, but the plan records 1001"});
  expectOneLine(stream("a", 1000, "00"), {"/a: hash", "does not match the recorded 00"});
  expectOneLine(stream(".", 1000, ""), {"cannot read: Is a directory"});
}

TEST_F(CudaDeviceTest, ErrorsNameTheEntryPoint) {
  auto device = Device::open();
  auto buffer = DeviceBuffer::allocate(*device, uint64_t(1) << 40, "moon");
  ASSERT_FALSE(buffer.has_value());
  expectOneLine(buffer.error().message, {"cannot get 1.00 TiB of device memory for the moon: cuMemAlloc_v2: "
                                         "CUDA_ERROR_OUT_OF_MEMORY (the fake says so)"});
  auto status = device->driver().cuMemsetD8Async(1, 0, 1, nullptr);
  ASSERT_FALSE(status.has_value());
  expectOneLine(status.error().message, {"cuMemsetD8Async: CUDA_ERROR_INVALID_VALUE"});
}

TEST_F(CudaDeviceTest, PinnedMemoryHasAnAddressOnTheDevice) {
  auto device = Device::open();
  auto stream = device->createStream();
  const Driver &driver = device->driver();
  CUdeviceptr address = 0;
  {
    auto buffer = PinnedBuffer::allocate(*device, 64, "test");
    auto found = buffer->addressOnDevice(*device);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    address = *found;
    ASSERT_TRUE(driver.cuMemsetD8Async(address, 7, 64, stream->get()));
    EXPECT_EQ(buffer->data()[63], std::byte(0)); // nobody has waited
    ASSERT_TRUE(driver.cuStreamSynchronize(stream->get()));
    EXPECT_EQ(buffer->data()[63], std::byte(7));
  }
  EXPECT_FALSE(driver.cuMemsetD8Async(address, 7, 64, stream->get())); // given back
  EXPECT_EQ(*PinnedBuffer().addressOnDevice(*device), 0u);
}

TEST_F(CudaDeviceTest, MeasuresTheCopyBandwidth) {
  fake->memoryBytes = uint64_t(256) << 20;
  auto device = Device::open();
  auto bandwidth = measureCopyBandwidth(*device);
  ASSERT_TRUE(bandwidth.has_value()) << bandwidth.error().message;
  EXPECT_GT(*bandwidth, 1e8);
  auto most = DeviceBuffer::allocate(*device, uint64_t(200) << 20, "test");
  bandwidth = measureCopyBandwidth(*device);
  ASSERT_FALSE(bandwidth.has_value());
  expectOneLine(bandwidth.error().message, {"too little to measure", "ask for a smaller cache"});
}

TEST(ByteRangesTest, MergesWhatIsNear) {
  ByteRanges ranges;
  ranges.add(0, 100);
  ranges.add(100 + ByteRanges::kMergedGap, 0); // nothing
  ranges.add(100 + ByteRanges::kMergedGap, 10);
  ranges.add(1000 + 2 * ByteRanges::kMergedGap, 5);
  ASSERT_EQ(ranges.ranges().size(), 2u);
  EXPECT_EQ(ranges.ranges()[0].bytes, 110 + ByteRanges::kMergedGap);
  EXPECT_EQ(ranges.ranges()[1].offset, 1000 + 2 * ByteRanges::kMergedGap);
  EXPECT_EQ(ranges.ranges()[1].bytes, 5u);
}

} // namespace kimi::test
