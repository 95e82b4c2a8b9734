#include "runtime/engine/FileVerifier.h"

#include "runtime/base/Hash.h"

#include <algorithm>
#include <fmt/format.h>

namespace kimi::runtime {

static Status verifyFile(const FileToVerify &file, FileQueue &queue) {
  std::string found = hashHex(file.bytes, queue.doneBytes, queue.stop);
  if (found.empty() || found == file.hash) // empty: another thread's file stopped all
    return {};
  return failure(fmt::format("{}: hash {} does not match the recorded {}: the file is damaged", file.path,
                             found, file.hash));
}

Status verifyFiles(std::span<const FileToVerify> files, int numThreads, const Progress &progress) {
  std::vector<uint64_t> sizes;
  for (const FileToVerify &file : files)
    sizes.push_back(file.bytes.size());
  FileQueue queue(std::move(sizes));
  auto verify = [&](FileQueue &queue) -> Status {
    while (auto index = queue.next())
      TRY(verifyFile(files[*index], queue));
    return {};
  };
  std::vector<FileQueue::Worker> workers(std::min(size_t(std::max(numThreads, 1)), files.size()), verify);
  return queue.run(workers, progress);
}

} // namespace kimi::runtime
