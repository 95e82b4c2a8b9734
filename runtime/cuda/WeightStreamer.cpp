#include "runtime/cuda/WeightStreamer.h"

#include "runtime/base/Hash.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <vector>

namespace kimi::runtime::cuda {

// A read of a few MiB is as fast as any; two in flight to the device while the third fills.
static constexpr uint64_t kSlotBytes = uint64_t(4) << 20;
static constexpr size_t kSlots = 3;
// More threads than this do not read faster, and each pins memory.
static constexpr int kMaxReaders = 8;

namespace {

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

  Status readFiles(std::span<const FileToStream> files, FileQueue &queue) {
    Status status = device->makeCurrent();
    while (status) {
      auto index = queue.next();
      if (!index)
        break;
      status = readFile(files[*index], queue);
    }
    // Also after an error: the buffers are given back once nothing is copied from them.
    if (auto drained = device->driver().cuStreamSynchronize(stream.get()); status && !drained)
      return failure("copying weights to the device", drained.error());
    return status;
  }

private:
  Status readFile(const FileToStream &file, FileQueue &queue) {
    TRY_ASSIGN(OpenFile open, OpenFile::open(file.path));
    Hasher hasher;
    for (uint64_t offset = 0; offset < file.bytes && !queue.stop;) {
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
      queue.doneBytes.fetch_add(slot.size(), std::memory_order_relaxed);
    }
    if (!file.hash.empty() && !queue.stop && hasher.hex() != file.hash)
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

Status streamFiles(const Device &device, std::span<const FileToStream> files, int numThreads,
                   const Progress &progress) {
  std::vector<uint64_t> sizes;
  for (const FileToStream &file : files)
    sizes.push_back(file.bytes);
  FileQueue queue(std::move(sizes));
  std::vector<Reader> readers;
  size_t numReaders = std::min(size_t(std::clamp(numThreads, 1, kMaxReaders)), files.size());
  while (readers.size() < numReaders) {
    TRY_ASSIGN(Reader reader, Reader::create(device));
    readers.push_back(std::move(reader));
  }
  std::vector<FileQueue::Worker> workers;
  for (Reader &reader : readers)
    workers.push_back([&](FileQueue &queue) { return reader.readFiles(files, queue); });
  return queue.run(workers, progress);
}

} // namespace kimi::runtime::cuda
