// A plan in which a library computes products: how it runs, and what goes wrong.
#include "runtime/cuda/Device.h"
#include "runtime/cuda/MatrixProduct.h"
#include "tests/runtime/CudaToy.h"
#include "tests/runtime/ToyProduct.h"
#include "tests/runtime/fake_cuda/FakeCublasLt.h"

namespace kimi::test {

using namespace artifact;

class CudaProductTest : public CudaTest {
protected:
  void SetUp() override {
    CudaTest::SetUp();
    setenv("KIMI_CUBLASLT", KIMI_FAKE_CUBLASLT, 1);
    void *file = dlopen(KIMI_FAKE_CUBLASLT, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(file, nullptr) << dlerror();
    library = reinterpret_cast<FakeCublasLt *(*)()>(dlsym(file, "kimiFakeCublasLt"))();
    *library = {};
  }

  void TearDown() override {
    CudaTest::TearDown();
    EXPECT_EQ(library->liveObjects, 0);
    unsetenv("KIMI_CUBLASLT");
  }

  void loadProduct(const EngineOptions &options = defaultOptions()) {
    load(options, [&](PlanT &plan) {
      writeFile(scratch.path() / "toy.kimi/weights/product", productWeightBytes());
      useProduct(plan);
    });
  }

  void expectRefused(std::initializer_list<const char *> parts) {
    auto loaded = Engine::load(writeToyCudaArtifact(scratch.path(),
                                                    [&](PlanT &plan) {
                                                      writeFile(scratch.path() / "toy.kimi/weights/product",
                                                                productWeightBytes());
                                                      useProduct(plan);
                                                    }),
                               defaultOptions());
    ASSERT_FALSE(loaded.has_value());
    expectOneLine(loaded.error().message, parts);
    EXPECT_EQ(fake->liveHandles, 0);
  }

  std::string failingStep(const std::vector<ToySequence> &sequences) {
    fillStep(*engine, sequences);
    auto status = engine->step();
    EXPECT_FALSE(status.has_value());
    return status ? "" : status.error().message;
  }

  /// Prefills of six tokens and of sixteen, and decode steps by graphs after each.
  void expectTokens() {
    runStep({{0, {1, 2, 3}, {0}}, {0, {4}, {1}}, {0, {7, 8}, {2}}});
    expectRow(0, {1, 2, 3});
    expectRow(1, {4});
    expectRow(2, {7, 8});
    runStep({{3, {5}, {0}}, {1, {6}, {1}}, {2, {9}, {2}}});
    expectRow(0, {1, 2, 3, 5});
    expectRow(1, {4, 6});
    expectRow(2, {7, 8, 9});
    std::vector<int32_t> many = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    runStep({{0, many, {3}}});
    expectRow(0, many);
    runStep({{16, {17}, {3}}});
    many.push_back(17);
    expectRow(0, many);
  }

  FakeCublasLt *library = nullptr;
};

TEST_F(CudaProductTest, PrefillCallsTheLibraryAndDecodeIsAGraph) {
  loadProduct();
  EXPECT_EQ(library->chosen, 2); // mixed_16 and mixed_64, at their capacity
  expectTokens();
  EXPECT_EQ(library->products, 2 * int64_t(kToyLayers));
  EXPECT_EQ(fake->graphStarts, 2);
  EXPECT_EQ(library->chosen, 2);
  EXPECT_EQ(library->checked, 1); // six rows; sixteen are the capacity
}

TEST_F(CudaProductTest, TheAlgorithmFollowsFromTheRowsAlone) {
  loadProduct();
  library->fewestRows = 8; // six are too few for the capacity's
  expectTokens();
  EXPECT_EQ(library->chosen, 3);
  runStep({{0, {1, 2, 3}, {0}}, {0, {4, 5}, {1}}}); // five, after sixteen
  EXPECT_EQ(library->chosen, 4);
  runStep({{0, {3, 2, 1}, {0}}, {0, {5, 4}, {1}}}); // five again
  EXPECT_EQ(library->chosen, 4);
}

TEST_F(CudaProductTest, WithoutGraphs) {
  EngineOptions options = defaultOptions();
  options.useGraphs = false;
  loadProduct(options);
  expectTokens();
}

TEST_F(CudaProductTest, ProfilesLikeAKernel) {
  loadProduct();
  engine->setProfiling(true);
  expectTokens();
  auto times = engine->profile();
  auto product = std::ranges::find(times, "linear_8x64_over128", &KernelTime::name);
  ASSERT_NE(product, times.end());
  EXPECT_EQ(product->launches, 2 * int64_t(kToyLayers));
  EXPECT_EQ(product->flops, 22 * double(kToyLayers) * 2 * kToyHidden * kProductDepth);
}

// What a library runs for the first time may load code, which may wait for the device: nothing is held back then.
TEST_F(CudaProductTest, NothingIsHeldBackBeforeTheLibraryIsLoaded) {
  loadProduct();
  engine->setProfiling(true);
  auto prefill = [&](std::vector<int32_t> tokens) {
    int64_t before = fake->gates;
    runStep({{0, std::move(tokens), {0}}});
    return fake->gates - before;
  };
  EXPECT_EQ(prefill({1, 2, 3}), 0);
  EXPECT_EQ(prefill({1, 2, 3}), 1);
  EXPECT_EQ(prefill({1, 2, 3, 4}), 0);
  EXPECT_EQ(prefill({1, 2, 3, 4}), 1);
}

TEST_F(CudaProductTest, MissingLibrary) {
  setenv("KIMI_CUBLASLT", "/nowhere/libcublasLt.so.13", 1);
  expectRefused({"entry mixed_16: kernel linear_8x64_over128 is a call of cublaslt: no cuBLASLt: "
                 "/nowhere/libcublasLt.so.13: cannot open",
                 "install CUDA 13's cuBLAS", "KIMI_CUBLASLT", "compile without --impl linear=cublaslt"});
}

TEST_F(CudaProductTest, ALibraryThatIsNoCublasLt) {
  setenv("KIMI_CUBLASLT", KIMI_TOY_KERNELS, 1);
  expectRefused({"this cuBLASLt has no entry point cublasLtGetStatusName", "install CUDA 13's cuBLAS"});
}

TEST_F(CudaProductTest, IsOpenedOnlyWhereAPlanCallsIt) {
  setenv("KIMI_CUBLASLT", "/nowhere/libcublasLt.so.13", 1);
  load();
  runStep({{0, {1, 2, 3}, {0}}});
  expectRow(0, {1, 2, 3});
}

TEST_F(CudaProductTest, ALibraryThatCannotUseTheDevice) {
  library->failing = "cublasLtCreate";
  library->status = 1;
  expectRefused({"kernel linear_8x64_over128 is a call of cublaslt: cuBLASLt 13.1.2: cublasLtCreate: "
                 "CUBLAS_STATUS_NOT_INITIALIZED (1)"});
}

TEST_F(CudaProductTest, NoAlgorithm) {
  library->hasAlgorithms = false;
  expectRefused({"entry mixed_16, launch 3 of 13 (block layer_over128, layer 0), kernel linear_8x64_over128: cuBLASLt 13.1.2 has "
                 "no algorithm for 16 x 8 x 64, bf16 to f32 with 1024 bytes of workspace: compile without"});
  library->hasAlgorithms = true;
  library->workspaceBytes = 1025;
  expectRefused({"has no algorithm"});
}

TEST_F(CudaProductTest, AStatusNamesKernelAndPlace) {
  EngineOptions options = defaultOptions();
  options.useGraphs = false;
  loadProduct(options);
  library->failing = "cublasLtMatmul";
  expectOneLine(failingStep({{0, {1, 2}, {0}}}),
                {"entry mixed_16, launch 3 of 13 (block layer_over128, layer 0), kernel linear_8x64_over128: cublasLtMatmul: "
                 "CUBLAS_STATUS_NOT_SUPPORTED (15)"});
}

TEST_F(CudaProductTest, AStatusInAChain) {
  loadProduct();
  library->failing = "cublasLtMatmul";
  expectOneLine(failingStep({{0, {1, 2}, {0}}}),
                {"kernel linear_8x64_over128 or one before: cublasLtMatmul: CUBLAS_STATUS_NOT_SUPPORTED (15)", "--no-graph"});
}

// [2, 8] = [2, 64] * [8, 64], rounded to the nearest bf16, ties to even.
TEST_F(CudaProductTest, ResultsOfBf16) {
  namespace cuda = runtime::cuda;
  auto device = cuda::Device::open();
  ASSERT_TRUE(device.has_value());
  auto stream = device->createStream();
  auto memory = cuda::DeviceBuffer::allocate(*device, 4096, "test");
  auto host = cuda::PinnedBuffer::allocate(*device, 4096, "test");
  auto *values = reinterpret_cast<uint16_t *>(host->data());
  values[0] = 0x3f80, values[1] = 0x3b80;  // activations: 1, 2^-8
  values[512] = 0x3f80, values[513] = 0x3f80; // weight 0: 1, 1
  const cuda::Driver &driver = device->driver();
  ASSERT_TRUE(driver.cuMemcpyHtoDAsync(memory->address(), host->data(), 4096, stream->get()));
  auto opened = cuda::CublasLt::open();
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  auto context = cuda::createContext(**opened);
  ASSERT_TRUE(context.has_value());
  auto product = cuda::MatrixProduct::create(**opened, *context, {8, 64, DataType::bf16, 256}, 2);
  ASSERT_TRUE(product.has_value()) << product.error().message;
  std::byte *base = memory->pointer();
  auto status = product->start(stream->get(), {base, base + 1024, base + 2048, base + 3072}, 2);
  ASSERT_TRUE(status.has_value()) << status.error().message;
  ASSERT_TRUE(driver.cuMemcpyDtoHAsync(host->data(), memory->address(), 4096, stream->get()));
  ASSERT_TRUE(driver.cuStreamSynchronize(stream->get()));
  EXPECT_EQ(values[1024], 0x3f80); // 1 + 2^-8 lies halfway: to the even 1
  EXPECT_EQ(values[1025], 0);
}

// NVIDIA's own, where it is installed: needs no GPU for what describes a product.
TEST_F(CudaProductTest, TheRealLibraryTakesTheDescriptions) {
  namespace cuda = runtime::cuda;
  unsetenv("KIMI_CUBLASLT");
  auto opened = cuda::CublasLt::open();
  if (const char *home = std::getenv("CUDA_HOME"); !opened && home) {
    setenv("KIMI_CUBLASLT", (std::string(home) + "/lib64/libcublasLt.so").c_str(), 1);
    opened = cuda::CublasLt::open();
  }
  if (!opened)
    GTEST_SKIP() << opened.error().message;
  const cuda::CublasLt &real = **opened;
  EXPECT_TRUE(real.name().starts_with("cuBLASLt 1")) << real.name();
  cuda::cublasLtMatmulDesc_t product = nullptr;
  ASSERT_TRUE(real.cublasLtMatmulDescCreate(&product, cuda::CUBLAS_COMPUTE_32F, cuda::CUDA_R_32F));
  int32_t transposed = cuda::CUBLAS_OP_T;
  EXPECT_TRUE(real.cublasLtMatmulDescSetAttribute(product, cuda::CUBLASLT_MATMUL_DESC_TRANSA, &transposed, 4));
  EXPECT_FALSE(real.cublasLtMatmulDescSetAttribute(product, cuda::CUBLASLT_MATMUL_DESC_TRANSA, &transposed, 2));
  EXPECT_TRUE(real.cublasLtMatmulDescDestroy(product));
  cuda::cublasLtMatrixLayout_t layout = nullptr;
  ASSERT_TRUE(real.cublasLtMatrixLayoutCreate(&layout, cuda::CUDA_R_16BF, 64, 8, 64));
  uint64_t columns = 6;
  EXPECT_TRUE(real.cublasLtMatrixLayoutSetAttribute(layout, cuda::CUBLASLT_MATRIX_LAYOUT_COLS, &columns, 8));
  EXPECT_TRUE(real.cublasLtMatrixLayoutDestroy(layout));
  cuda::cublasLtMatmulPreference_t preference = nullptr;
  ASSERT_TRUE(real.cublasLtMatmulPreferenceCreate(&preference));
  uint64_t workspace = 1 << 25;
  uint32_t alignment = 64;
  EXPECT_TRUE(real.cublasLtMatmulPreferenceSetAttribute(preference, cuda::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, 8));
  EXPECT_TRUE(real.cublasLtMatmulPreferenceSetAttribute(preference, cuda::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &alignment, 4));
  EXPECT_TRUE(real.cublasLtMatmulPreferenceDestroy(preference));
}

} // namespace kimi::test
