#include "runtime/cpu/Ceilings.h"

#include "runtime/base/Clock.h"
#include "runtime/base/HostBuffer.h"
#include "runtime/base/Machine.h"

#include <algorithm>
#include <cstring>

namespace kimi::runtime {

static constexpr uint64_t kReadBytes = uint64_t(1) << 30;
static constexpr uint64_t kReadTaskBytes = uint64_t(1) << 20;
static constexpr int kReadPasses = 8, kFmaPasses = 8;
static constexpr int kFmaRounds = 2'000'000;
// Covers latency times units of every processor in use (4 cycles, 2 units), with room to spare.
static constexpr int kAccumulators = 12;

// One vector type per register width; the body is the same and is compiled once for each.
typedef float Floats16 __attribute__((vector_size(16), aligned(4)));
typedef float Floats32 __attribute__((vector_size(32), aligned(4)));
typedef float Floats64 __attribute__((vector_size(64), aligned(4)));

template <typename Vector> [[gnu::always_inline]] static inline void fmaBody(float *sink) {
  Vector sums[kAccumulators] = {}, factor = {}, addend = {};
  factor += sink[0];
  addend += sink[1];
  for (int i = 0; i < kAccumulators; ++i) // All different, or the compiler computes one and copies it.
    sums[i] += sink[0] * float(i);
  for (int round = 0; round < kFmaRounds / kAccumulators; ++round)
#pragma GCC unroll 12
    for (Vector &sum : sums)
      sum = sum * factor + addend; // contracted: see CMakeLists.txt
  for (const Vector &sum : sums)
    sink[2] += sum[0];
}

template <typename Vector> [[gnu::always_inline]] static inline float readBody(const std::byte *data) {
  Vector sums[8] = {};
  for (uint64_t offset = 0; offset < kReadTaskBytes; offset += sizeof(sums))
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; ++i)
      sums[i] += *reinterpret_cast<const Vector *>(data + offset + i * sizeof(Vector));
  float sum = 0;
  for (const Vector &part : sums)
    sum += part[0];
  return sum;
}

using FmaFunction = void (*)(float *);
using ReadFunction = float (*)(const std::byte *);

static void fmaBaseline(float *sink) { fmaBody<Floats16>(sink); }
static float readBaseline(const std::byte *data) { return readBody<Floats16>(data); }

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] static void fmaAvx2(float *sink) { fmaBody<Floats32>(sink); }
[[gnu::target("avx2,fma")]] static float readAvx2(const std::byte *data) { return readBody<Floats32>(data); }
[[gnu::target("avx512f,fma")]] static void fmaAvx512(float *sink) { fmaBody<Floats64>(sink); }

static FmaFunction widestFma() {
  if (__builtin_cpu_supports("avx512f"))
    return fmaAvx512;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? fmaAvx2 : fmaBaseline;
}
static ReadFunction widestRead() { return __builtin_cpu_supports("avx2") ? readAvx2 : readBaseline; }
#else
static FmaFunction widestFma() { return fmaBaseline; }
static ReadFunction widestRead() { return readBaseline; }
#endif

static size_t fmaLanes(FmaFunction function) {
#if defined(__x86_64__)
  if (function == fmaAvx512)
    return sizeof(Floats64) / sizeof(float);
  if (function == fmaAvx2)
    return sizeof(Floats32) / sizeof(float);
#endif
  return sizeof(Floats16) / sizeof(float);
}

/// Seconds of the quickest of `passes` calls.
template <typename Body> static double quickest(int passes, Body body) {
  double best = 1e30;
  for (int pass = 0; pass < passes; ++pass) {
    auto start = Clock::now();
    body();
    best = std::min(best, secondsSince(start));
  }
  return best;
}

Expected<double> measureReadBandwidth(ThreadPool &pool) {
  uint64_t bytes = std::min(kReadBytes, availableMemory() / 4) / kReadTaskBytes * kReadTaskBytes;
  if (bytes == 0)
    return failure("too little memory to measure the read bandwidth");
  TRY_ASSIGN(HostBuffer buffer, HostBuffer::allocate(bytes, "read bandwidth measurement"));
  int64_t numTasks = int64_t(bytes / kReadTaskBytes);
  // Written first: untouched pages all read from one page of zeros.
  pool.parallelFor(numTasks, [&](int64_t task) {
    std::memset(buffer.data() + uint64_t(task) * kReadTaskBytes, 1, kReadTaskBytes);
  });
  std::atomic<float> sink = 0; // keeps the reads alive
  ReadFunction read = widestRead();
  double seconds = quickest(kReadPasses, [&] {
    pool.parallelFor(numTasks, [&](int64_t task) {
      sink.store(read(buffer.data() + uint64_t(task) * kReadTaskBytes), std::memory_order_relaxed);
    });
  });
  return double(bytes) / seconds;
}

double measureFmaPeak(ThreadPool &pool) {
  FmaFunction function = widestFma();
  std::atomic<float> sink = 0;
  // One task per thread: claimed in chunks of one, and every thread is awake within microseconds.
  double seconds = quickest(kFmaPasses, [&] {
    pool.parallelFor(pool.numThreads(), [&](int64_t) {
      float values[3] = {0.5f, 1.0f, 0.0f};
      function(values);
      sink.store(values[2], std::memory_order_relaxed);
    });
  });
  double operations = 2.0 * double(kFmaRounds / kAccumulators * kAccumulators) * double(fmaLanes(function));
  return operations * pool.numThreads() / seconds;
}

} // namespace kimi::runtime
