#include "runtime/cuda/WeightStreamer.h"

#include "runtime/base/Hash.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <unistd.h>
#include <vector>

namespace kimi::runtime::cuda {

// A read of a few MiB is as fast as any; two in flight to the device while the third fills.
static constexpr uint64_t kSlotBytes = uint64_t(4) << 20;
static constexpr size_t kSlots = 3;
// More threads than this do not read faster, and each pins memory.
static constexpr int kMaxReaders = 8;
static constexpr std::chrono::milliseconds kProgressInterval{100};

namespace {

/// What the reading threads share.
struct Work {
  std::span<const FileToStream> files;
  std::vector<size_t> order; // largest first, so that no thread is left alone with a large one at the end
  std::atomic<size_t> next = 0;
  std::atomic<uint64_t> doneBytes = 0;
  std::atomic<bool> stop = false;

  std::mutex mutex; // guards what follows
  std::condition_variable changed;
  std::optional<Error> error;
  int runningReaders = 0;
};

class OpenFile {
public:
  static Expected<OpenFile> open(const std::filesystem::path &path) {
    OpenFile file;
    file.descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file.descriptor < 0)
      return failure(fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno)));
    posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_SEQUENTIAL); // only advice
    return file;
  }
  OpenFile(OpenFile &&other) noexcept : descriptor(std::exchange(other.descriptor, -1)) {}
  ~OpenFile() {
    if (descriptor >= 0)
      ::close(descriptor);
  }

  /// The next bytes, fewer only at the end of the file; -1 with errno.
  ssize_t read(std::span<std::byte> bytes) const {
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t count = ::read(descriptor, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        return -1;
      if (count == 0)
        break;
      done += size_t(count);
    }
    return ssize_t(done);
  }

private:
  OpenFile() = default;
  int descriptor = -1;
};

/// One reading thread's stream and its ring of pinned buffers.
class Reader {
public:
  static Expected<Reader> create(const Device &device) {
    Reader reader;
    reader.device = &device;
    TRY_ASSIGN(reader.stream, device.createStream());
    TRY_ASSIGN(reader.memory, PinnedBuffer::allocate(device, kSlots * kSlotBytes, "reading of weights"));
    for (Event &event : reader.copied) {
      TRY_ASSIGN(event, device.createEvent(/*withTime=*/false));
    }
    return reader;
  }

  void readFiles(Work &work) {
    Status status = device->makeCurrent();
    for (size_t i = work.next++; status && i < work.order.size() && !work.stop; i = work.next++)
      status = readFile(work.files[work.order[i]], work);
    if (auto drained = device->driver().cuStreamSynchronize(stream.get()); status && !drained)
      status = failure("copying weights to the device", drained.error());
    std::lock_guard lock(work.mutex);
    if (!status) {
      work.stop = true;
      if (!work.error)
        work.error = status.error();
    }
    --work.runningReaders;
    work.changed.notify_one();
  }

private:
  Status readFile(const FileToStream &file, Work &work) {
    TRY_ASSIGN(OpenFile open, OpenFile::open(file.path));
    Hasher hasher;
    for (uint64_t offset = 0; offset < file.bytes && !work.stop;) {
      auto slot = std::span(memory.data() + nextSlot * kSlotBytes, std::min(kSlotBytes, file.bytes - offset));
      // An event that was never recorded counts as passed.
      TRY(device->driver().cuEventSynchronize(copied[nextSlot].get()));
      ssize_t count = open.read(slot);
      if (count < 0)
        return failure(fmt::format("{}: cannot read: {}", file.path.string(), std::strerror(errno)));
      if (size_t(count) < slot.size())
        return failure(fmt::format("{}: ends after {} bytes, but the plan records {}", file.path.string(),
                                   offset + uint64_t(count), file.bytes));
      TRY(device->driver().cuMemcpyHtoDAsync(file.destination + offset, slot.data(), slot.size(),
                                             stream.get()));
      TRY(device->driver().cuEventRecord(copied[nextSlot].get(), stream.get()));
      if (!file.hash.empty())
        hasher.update(slot); // while it is copied
      nextSlot = (nextSlot + 1) % kSlots;
      offset += slot.size();
      work.doneBytes.fetch_add(slot.size(), std::memory_order_relaxed);
    }
    if (!file.hash.empty() && !work.stop && hasher.hex() != file.hash)
      return failure(fmt::format("{}: hash {} does not match the recorded {}: the file is damaged",
                                 file.path.string(), hasher.hex(), file.hash));
    return {};
  }

  const Device *device = nullptr;
  Stream stream;
  PinnedBuffer memory;
  Event copied[kSlots]; // the slot's last copy is done
  size_t nextSlot = 0;
};

} // namespace

static void waitForReaders(Work &work, uint64_t total, const StreamProgress &progress) {
  std::unique_lock lock(work.mutex);
  while (work.runningReaders > 0) {
    work.changed.wait_for(lock, kProgressInterval);
    if (!progress)
      continue;
    lock.unlock(); // The callback may take its time.
    progress(work.doneBytes, total);
    lock.lock();
  }
}

Status streamFiles(const Device &device, std::span<const FileToStream> files, int numThreads,
                   const StreamProgress &progress) {
  Work work;
  work.files = files;
  work.order.resize(files.size());
  std::iota(work.order.begin(), work.order.end(), size_t(0));
  std::stable_sort(work.order.begin(), work.order.end(),
                   [&](size_t a, size_t b) { return files[a].bytes > files[b].bytes; });
  uint64_t total = 0;
  for (const FileToStream &file : files)
    total += file.bytes;
  std::vector<Reader> readers;
  size_t numReaders = std::min(size_t(std::clamp(numThreads, 1, kMaxReaders)), files.size());
  while (readers.size() < numReaders) {
    TRY_ASSIGN(Reader reader, Reader::create(device));
    readers.push_back(std::move(reader));
  }
  work.runningReaders = int(readers.size());
  {
    std::vector<std::jthread> threads;
    for (Reader &reader : readers)
      threads.emplace_back([&] { reader.readFiles(work); });
    waitForReaders(work, total, progress);
  }
  if (work.error)
    return std::unexpected(*work.error);
  if (progress)
    progress(total, total);
  return {};
}

} // namespace kimi::runtime::cuda
