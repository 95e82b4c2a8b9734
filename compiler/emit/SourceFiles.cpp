#include "compiler/emit/SourceFiles.h"

#include "compiler/emit/RandomValues.h"
#include "compiler/import/Json.h"

#include <chrono>
#include <thread>

namespace kimi::emit {

using std::chrono::nanoseconds;

/// File times advance in steps: of a few milliseconds, or of up to two seconds where they are kept in seconds.
static nanoseconds grainOf(const FileIdentity &file) {
  const bool isCoarse = file.changed % 1'000'000'000 == 0;
  return isCoarse ? std::chrono::seconds(2) : nanoseconds(std::chrono::milliseconds(20));
}

static void waitUntilOld(const FileIdentity &file) {
  const nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  const nanoseconds age = now - nanoseconds(file.changed);
  if (age >= nanoseconds::zero() && age < grainOf(file))
    std::this_thread::sleep_for(grainOf(file) - age);
}

llvm::Expected<SourceFiles> SourceFiles::open(const import_::CheckpointIndex &checkpoint) {
  SourceFiles sources;
  for (const std::string &path : checkpoint.getFiles()) {
    llvm::Expected<InputFile> file = InputFile::open(path);
    if (!file)
      return file.takeError();
    llvm::Expected<FileIdentity> identity = file->identity();
    if (!identity)
      return identity.takeError();
    waitUntilOld(*identity);
    sources.files.push_back(std::move(*file));
    sources.identities.push_back(std::move(*identity));
  }
  return sources;
}

SourceFiles SourceFiles::invent(llvm::ArrayRef<import_::RandomKind> kinds, uint64_t seed) {
  SourceFiles sources;
  for (const import_::RandomKind &kind : kinds) {
    auto fill = [kind, seed](uint64_t offset, llvm::MutableArrayRef<char> bytes) {
      fillRandom(seed, kind, offset, bytes);
    };
    const std::string name = kind.name() + ", seed " + std::to_string(seed);
    sources.files.push_back(InputFile::invented(name, fill));
    sources.identities.push_back(FileIdentity{name});
  }
  return sources;
}

llvm::Error SourceFiles::checkUnchanged() const {
  for (const auto &[file, before] : llvm::zip_equal(files, identities)) {
    llvm::Expected<FileIdentity> now = file.identity();
    if (!now)
      return now.takeError();
    if (*now != before)
      return import_::makeError(before.path + " was changed while it was packed (" + llvm::Twine(before.bytes) +
                                " bytes before, " + llvm::Twine(now->bytes) +
                                " now): run the same command again when it is complete");
  }
  return llvm::Error::success();
}

static constexpr uint64_t kAhead = uint64_t(16) << 20;

ReadAhead::ReadAhead(const WeightSource &source, llvm::ArrayRef<InputFile> files)
    : source(source), files(files), elementBytes(import_::dataTypeBytes(source.type)) {
  ask();
}

void ReadAhead::advance(uint64_t bytes) {
  readBytes += bytes;
  if (askedBytes < readBytes + kAhead / 2)
    ask();
}

void ReadAhead::ask() {
  while (run < source.runs.size() && askedBytes < readBytes + kAhead) {
    const SourceRun &from = source.runs[run];
    const uint64_t runBytes = from.elements * elementBytes;
    const uint64_t bytes = std::min(runBytes - runOffset, readBytes + kAhead - askedBytes);
    files[from.file].readAhead(from.offset + runOffset, bytes);
    askedBytes += bytes;
    runOffset += bytes;
    if (runOffset == runBytes) {
      ++run;
      runOffset = 0;
    }
  }
}

} // namespace kimi::emit
