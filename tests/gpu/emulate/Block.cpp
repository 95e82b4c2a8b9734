#include "Block.h"

#include "Memory.h"
#include "Races.h"

#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace emulate {

Index threadIndex, blockIndex;

namespace {

using boost::context::fiber;

constexpr unsigned kWarp = 32, kMaxThreads = 1024;
constexpr size_t kStackBytes = 64 << 10;
constexpr size_t kStackStride = kStackBytes + 5 * 64; // stacks must not fall on the same lines of the caches
constexpr unsigned char kUnused = 0xd5;               // what a stack holds where nobody has been

enum class At { Start, Barrier, Shuffle, End };

struct Thread {
  fiber context;
  At at = At::Start;
  int line = 0;
  unsigned bits = 0; // given to, then got from a shuffle
  int distance = 0;
};

/// Boost's fibers take a stack that somebody else keeps.
struct Borrowed {
  void deallocate(boost::context::stack_context &) {}
};

enum class Order { Ascending, Descending, Random };

class Block {
public:
  const char *run(const Kernel &kernel, void *const *parameters, unsigned number, unsigned count, unsigned bytes);

  void wait(At at, int line) {
    Thread &thread = threads[threadIndex.x];
    races::settle();
    thread.at = at;
    thread.line = line;
    scheduler = std::move(scheduler).resume();
  }

  void fail(const std::string &what) {
    if (error.empty())
      error = std::string("kernel '") + name + "', block " + std::to_string(blockIndex.x) + ": " + what;
  }

  std::array<Thread, kMaxThreads> threads;
  unsigned char *shared = nullptr;

private:
  void readOrder();
  void start(const Kernel &kernel, void *const *parameters);
  void runInterval();
  void runWarp(unsigned warp);
  bool exchange(unsigned begin, unsigned end);
  void checkTogether();
  void checkStacks();
  unsigned countAt(unsigned begin, unsigned end, At at) const;
  unsigned next(size_t count) {
    return order == Order::Ascending    ? 0
           : order == Order::Descending ? unsigned(count - 1)
                                        : unsigned(random() % count);
  }

  fiber scheduler;
  unsigned numThreads = 0;
  const char *name = "";
  std::string error;
  Order order = Order::Ascending;
  std::minstd_rand random;
  Memory memory{kMaxThreads * kStackStride + kSharedBytes}; // stacks, and shared memory at its end
};

void Block::readOrder() {
  const char *variable = std::getenv("KIMI_EMULATE_ORDER");
  const std::string text = variable ? variable : "ascending";
  if (text == "ascending" || text == "descending") {
    order = text == "ascending" ? Order::Ascending : Order::Descending;
  } else if (text.starts_with("random:")) {
    order = Order::Random;
    random.seed(unsigned(std::strtoul(text.c_str() + 7, nullptr, 10)) * 7919 + blockIndex.x + 1);
  } else {
    emulate::fail("KIMI_EMULATE_ORDER is %s; ascending, descending and random:SEED are known", text.c_str());
  }
}

void Block::start(const Kernel &kernel, void *const *parameters) {
  for (unsigned i = 0; i < numThreads; ++i) {
    unsigned char *bottom = memory.begin() + i * kStackStride;
    std::memset(bottom, kUnused, 64);
    boost::context::stack_context stack;
    stack.size = kStackBytes;
    stack.sp = bottom + kStackBytes;
    threads[i].at = At::Start;
    threads[i].context = fiber(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack),
                               Borrowed(), [this, i, &kernel, parameters](fiber &&caller) {
                                 scheduler = std::move(caller);
                                 kernel.call(parameters);
                                 races::settle();
                                 threads[i].at = At::End;
                                 return std::move(scheduler);
                               });
  }
}

unsigned Block::countAt(unsigned begin, unsigned end, At at) const {
  return unsigned(
      std::count_if(threads.begin() + begin, threads.begin() + end, [&](const Thread &t) { return t.at == at; }));
}

/// The threads of a warp, each until it waits or ends, then again after every shuffle.
void Block::runWarp(unsigned warp) {
  const unsigned begin = warp * kWarp, end = std::min(begin + kWarp, numThreads);
  unsigned lanes[kWarp];
  for (unsigned i = 0; i < end - begin; ++i)
    lanes[i] = order == Order::Descending ? end - 1 - i : begin + i;
  if (order == Order::Random)
    std::shuffle(lanes, lanes + (end - begin), random);
  for (unsigned i = 0; i < end - begin; ++i) {
    Thread &thread = threads[lanes[i]];
    if (thread.at == At::Barrier || thread.at == At::End)
      continue;
    threadIndex.x = lanes[i];
    thread.context = std::move(thread.context).resume();
    if (!error.empty())
      return;
  }
}

/// Gives every thread of a warp what another brought to the shuffle. False: they do not wait at one.
bool Block::exchange(unsigned begin, unsigned end) {
  const unsigned waiting = countAt(begin, end, At::Shuffle);
  if (waiting == 0)
    return false;
  auto first =
      std::find_if(threads.begin() + begin, threads.begin() + end, [](auto &t) { return t.at == At::Shuffle; });
  auto same = [&](const Thread &t) {
    return t.at == At::Shuffle && t.line == first->line && t.distance == first->distance;
  };
  const unsigned together = unsigned(std::count_if(threads.begin() + begin, threads.begin() + end, same));
  if (together != kWarp) {
    emulate::fail("%u of the 32 threads of warp %u reach the shuffle in line %d with distance %d", together,
                  begin / kWarp, first->line, first->distance);
    return false;
  }
  unsigned given[kWarp];
  for (unsigned i = 0; i < kWarp; ++i)
    given[i] = threads[begin + i].bits;
  for (unsigned i = 0; i < kWarp; ++i)
    threads[begin + i].bits = given[i ^ unsigned(first->distance)];
  return true;
}

/// From one barrier to the next. In ascending and descending order a warp runs as far as it can before another starts:
/// what lacks a barrier between two warps happens in opposite orders. Random order changes warps at shuffles too.
void Block::runInterval() {
  std::vector<unsigned> open;
  for (unsigned warp = 0; warp * kWarp < numThreads; ++warp)
    open.push_back(warp);
  for (unsigned i = 0; i < numThreads; ++i)
    if (threads[i].at == At::Barrier)
      threads[i].at = At::Start;
  while (!open.empty() && error.empty()) {
    const unsigned at = next(open.size()), warp = open[at];
    runWarp(warp);
    if (error.empty() && !exchange(warp * kWarp, std::min((warp + 1) * kWarp, numThreads)))
      open.erase(open.begin() + at);
  }
}

/// All at the same barrier, or all at their end.
void Block::checkTogether() {
  const unsigned ended = countAt(0, numThreads, At::End);
  if (ended == numThreads || !error.empty())
    return;
  auto first = std::find_if(threads.begin(), threads.begin() + numThreads, [](auto &t) { return t.at == At::Barrier; });
  auto same = [&](const Thread &t) { return t.at == At::Barrier && t.line == first->line; };
  const unsigned together = unsigned(std::count_if(threads.begin(), threads.begin() + numThreads, same));
  if (together != numThreads)
    emulate::fail("%u of %u threads reach the barrier in line %d, %u have ended", together, numThreads, first->line,
                  ended);
}

void Block::checkStacks() {
  for (unsigned i = 0; i < numThreads; ++i)
    for (unsigned at = 0; at < 64; ++at)
      if (memory.begin()[i * kStackStride + at] != kUnused)
        return emulate::fail("thread %u needs more than %zu bytes of stack: raise kStackBytes in Block.cpp", i,
                             kStackBytes);
}

const char *Block::run(const Kernel &kernel, void *const *parameters, unsigned number, unsigned count, unsigned bytes) {
  name = kernel.name;
  numThreads = count;
  blockIndex = {number, 0, 0};
  error.clear();
  readOrder();
  if (count == 0 || count > kernel.maxThreads)
    emulate::fail("launched with %u threads, but its launch bounds say %u", count, kernel.maxThreads);
  if (bytes > kSharedBytes)
    emulate::fail("launched with %u bytes of shared memory, a block has %u", bytes, kSharedBytes);
  if (!error.empty())
    return error.c_str();
  shared = memory.end() - (bytes + 127) / 128 * 128;
  std::memset(shared, 0xff, size_t(memory.end() - shared));
  races::startBlock(number, memory.begin(), memory.end());
  start(kernel, parameters);
  while (error.empty() && countAt(0, numThreads, At::End) < numThreads) {
    runInterval();
    checkTogether();
    races::startInterval();
  }
  for (unsigned i = 0; i < numThreads; ++i)
    threads[i].context = fiber(); // those that wait still are unwound
  checkStacks();
  return error.empty() ? nullptr : error.c_str();
}

} // namespace

static Block &block() {
  static Block instance;
  return instance;
}

void fail(const char *format, ...) {
  char text[256];
  va_list list;
  va_start(list, format);
  std::vsnprintf(text, sizeof text, format, list);
  va_end(list);
  block().fail(text);
}

const char *runBlock(const Kernel &kernel, void *const *parameters, unsigned number, unsigned threads,
                     unsigned sharedBytes) {
  static std::mutex one;
  std::lock_guard lock(one);
  return block().run(kernel, parameters, number, threads, sharedBytes);
}

void endOnError(const char *error) {
  if (!error)
    return;
  std::fprintf(stderr, "%s\n", error);
  std::abort();
}

void barrier(int line) { block().wait(At::Barrier, line); }

unsigned shuffleXor(int line, unsigned mask, unsigned bits, int distance, int width) {
  Block &all = block();
  Thread &thread = all.threads[threadIndex.x];
  if (mask != 0xffffffff || width != int(kWarp) || distance <= 0 || distance >= int(kWarp))
    emulate::fail("the shuffle in line %d has mask %#x, distance %d and width %d: only whole warps are emulated", line,
                  mask, distance, width);
  thread.bits = bits;
  thread.distance = distance;
  all.wait(At::Shuffle, line);
  return thread.bits;
}

unsigned char *sharedMemory() { return block().shared; }

} // namespace emulate
