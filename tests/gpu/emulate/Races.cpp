#include "Races.h"

#include "Block.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <type_traits>
#include <unordered_map>

namespace emulate::races {

namespace {

constexpr uint16_t kSeveral = 0xffff;
constexpr unsigned kPageBits = 9;

/// Of one byte. Intervals are numbered through all blocks of a launch, from 1 on.
struct Cell {
  uint32_t written = 0, read = 0; // in which interval last; 0: never
  uint16_t writer = 0, reader = 0;
  bool readEarlier = false; // by an earlier block
};

struct Page {
  Cell cells[1 << kPageBits];
};

uint32_t interval = 0, blockStart = 0;
uintptr_t privateBegin = 0, privateEnd = 0;
std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
struct {
  uintptr_t number = 0;
  Page *page = nullptr;
} recent[64];

/// A write to what another thread has written too: a race unless it writes the same.
struct {
  unsigned size = 0;
  const unsigned char *at;
  unsigned char before[16];
  uint32_t other;
  uint16_t writer;
} pending;

/// The cell of the byte at `address`; those of the bytes behind it follow, to the end of the page.
Cell *cellOf(uintptr_t address) {
  const uintptr_t number = address >> kPageBits;
  auto &slot = recent[number % std::size(recent)];
  if (slot.number != number || !slot.page) {
    std::unique_ptr<Page> &page = pages[number];
    if (!page)
      page = std::make_unique<Page>();
    slot = {number, page.get()};
  }
  return &slot.page->cells[address % (1 << kPageBits)];
}

template <typename F> void forCells(uintptr_t address, unsigned size, F each) {
  for (unsigned done = 0; done < size;) {
    const uintptr_t begin = address + done;
    const unsigned inPage = std::min<unsigned>(size - done, (1u << kPageBits) - begin % (1u << kPageBits));
    Cell *cell = cellOf(begin);
    for (unsigned i = 0; i < inPage; ++i)
      each(cell[i]);
    done += inPage;
  }
}

bool isPrivate(uintptr_t address) { return address >= privateBegin && address < privateEnd; }

/// Whether what `thread` did in the interval `then` is unordered with the running thread.
bool isUnordered(uintptr_t address, uint32_t then, uint16_t thread) {
  if (then < blockStart)
    return then != 0 && !isPrivate(address);
  return then == interval && thread != threadIndex.x;
}

void report(const char *what, uint32_t then, uint16_t thread, const void *address) {
  if (then < blockStart)
    return fail("thread %u %s what an earlier block of the launch touched, at %p", threadIndex.x, what, address);
  if (thread == kSeveral)
    return fail("thread %u %s what others read since the last barrier, at %p", threadIndex.x, what, address);
  fail("thread %u %s what thread %u touched since the last barrier, at %p", threadIndex.x, what, thread, address);
}

void onRead(const void *pointer, unsigned size) {
  settle();
  const uint16_t self = uint16_t(threadIndex.x);
  const uintptr_t address = uintptr_t(pointer);
  forCells(address, size, [&](Cell &cell) {
    if (isUnordered(address, cell.written, cell.writer))
      report("reads", cell.written, cell.writer, pointer);
    if (cell.read == interval) {
      cell.reader = cell.reader == self ? self : kSeveral;
      return;
    }
    cell.readEarlier |= cell.read != 0 && cell.read < blockStart;
    cell.reader = self;
    cell.read = interval;
  });
}

void onWrite(const void *pointer, unsigned size) {
  settle();
  const uint16_t self = uint16_t(threadIndex.x);
  const uintptr_t address = uintptr_t(pointer);
  forCells(address, size, [&](Cell &cell) {
    if (isUnordered(address, cell.read, cell.reader))
      report("writes", cell.read, cell.reader, pointer);
    else if (cell.readEarlier && !isPrivate(address))
      report("writes", 0, 0, pointer);
    if (isUnordered(address, cell.written, cell.writer) && !pending.size && size <= sizeof pending.before) {
      pending.size = size;
      pending.at = static_cast<const unsigned char *>(pointer);
      std::memcpy(pending.before, pointer, size);
      pending.other = cell.written;
      pending.writer = cell.writer;
    }
    cell.written = interval;
    cell.writer = self;
  });
}

/// A GPU's sums have one NaN; the CPU's have those of their operands.
bool bothNan() {
  float before = 0, now = 0;
  if (pending.size != sizeof now)
    return false;
  std::memcpy(&before, pending.before, sizeof before);
  std::memcpy(&now, pending.at, sizeof now);
  return std::isnan(before) && std::isnan(now);
}

} // namespace

void settle() {
  if (!pending.size)
    return;
  if (std::memcmp(pending.at, pending.before, pending.size) != 0 && !bothNan())
    report("writes something else to", pending.other, pending.writer, pending.at);
  pending.size = 0;
}

void startBlock(unsigned block, const void *begin, const void *end) {
  privateBegin = uintptr_t(begin);
  privateEnd = uintptr_t(end);
  pending.size = 0;
  if (block == 0) {
    pages.clear();
    std::ranges::fill(recent, std::remove_reference_t<decltype(recent[0])>());
    interval = 0;
  }
  blockStart = ++interval;
}

void startInterval() { ++interval; }

} // namespace emulate::races

//===- what -fsanitize=thread and -fsanitize=alignment call -------------------------------------------------------===//

using emulate::races::onRead, emulate::races::onWrite;

extern "C" {
void __tsan_init() {}
void __tsan_read_range(void *at, unsigned long size) { onRead(at, unsigned(size)); }
void __tsan_write_range(void *at, unsigned long size) { onWrite(at, unsigned(size)); }
#define KIMI_ACCESS(size)                                                                                              \
  void __tsan_read##size(void *at) { onRead(at, size); }                                                               \
  void __tsan_write##size(void *at) { onWrite(at, size); }                                                             \
  void __tsan_unaligned_read##size(void *at) { onRead(at, size); }                                                     \
  void __tsan_unaligned_write##size(void *at) { onWrite(at, size); }
KIMI_ACCESS(1)
KIMI_ACCESS(2)
KIMI_ACCESS(4)
KIMI_ACCESS(8)
KIMI_ACCESS(16)
#undef KIMI_ACCESS
}

/// The start of what GCC and clang describe a check with.
struct TypeMismatch {
  const char *file;
  unsigned line, column;
  const void *type;
  unsigned char logAlignment;
};

extern "C" void __ubsan_handle_type_mismatch_v1(const TypeMismatch *check, unsigned long address) {
  emulate::fail("thread %u touches %#lx in line %u, which is no multiple of %u", emulate::threadIndex.x, address,
                check->line, 1u << check->logAlignment);
}
