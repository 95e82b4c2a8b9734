#include "compiler/emit/WeightStore.h"

#include "compiler/emit/Parallel.h"
#include "compiler/emit/RopeTable.h"
#include "compiler/emit/WeightPacker.h"
#include "compiler/emit/WeightRecipe.h"
#include "compiler/import/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <unistd.h>

namespace kimi::emit {

// A page: files can be mapped, read with O_DIRECT, and a vector load at the end stays inside.
static constexpr uint64_t kFileAlignment = 4096;
// More do not make a disk faster, and each takes up to 24 MiB.
static constexpr unsigned kMaxThreads = 32;

namespace {

/// One layer of one weight.
struct Slice {
  plan::WeightOp weight;
  size_t job = 0;
};

/// One file to make or to take over; slices with equal recipes share it.
struct Job {
  plan::WeightOp weight; // of the first of its slices
  std::string label;     // that weight and layer
  WeightSource source;   // empty for rope tables
  std::string recipe;
  uint64_t fileBytes = 0;
  FileRecord file; // when it is there
  bool reused = false;
};

class Store {
public:
  Store(const PackOptions &options, const SourceFiles &sources) : options(options), sources(sources) {}

  llvm::Error list(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint);
  llvm::Error checkSpace() const;
  llvm::Error packAll();
  llvm::Error writeLog() const;
  /// Of this directory's weights, keeps what `keep` says and removes the rest.
  void removeFiles(llvm::function_ref<bool(llvm::StringRef path)> keep) const;
  /// Whether the log of this directory has a file that is wanted.
  bool isWanted(llvm::StringRef path) const;
  PackedWeights collect() const;

private:
  llvm::Error addSlice(plan::WeightOp weight, int64_t layer, const import_::CheckpointIndex &checkpoint);
  llvm::Error make(size_t index, PackLogWriter &log, Progress &progress);
  llvm::Error pack(Job &job, size_t index, Progress &progress);
  llvm::Error stream(Job &job, Sink write, Progress &progress);
  bool takeOver(Job &job, Progress &progress);
  bool link(const PackLog &log, const FileRecord &file) const;

  const PackOptions &options;
  const SourceFiles &sources;
  std::vector<Slice> slices;
  std::vector<Job> jobs;
  std::map<std::string, size_t> jobOfRecipe;
};

//===- what is to be made ------------------------------------------------------------------------------------===//

llvm::Error Store::addSlice(plan::WeightOp weight, int64_t layer, const import_::CheckpointIndex &checkpoint) {
  Job job;
  job.weight = weight;
  job.label = (weight.getSymName() + (weight.getNumLayers() ? " " + llvm::Twine(layer) : llvm::Twine())).str();
  const mlir::RankedTensorType type = weight.getTensorType();
  job.fileBytes = llvm::alignTo(
      static_cast<uint64_t>(type.getNumElements()) * type.getElementTypeBitWidth() / 8, kFileAlignment);
  if (weight.getSource()) {
    llvm::Expected<WeightSource> source = findSource(weight, layer, checkpoint);
    if (!source)
      return source.takeError();
    job.source = std::move(*source);
  }
  job.recipe = recipeOf(weight, job.source, sources.getIdentities());
  const auto [found, isNew] = jobOfRecipe.try_emplace(job.recipe, jobs.size());
  slices.push_back({weight, found->second});
  if (isNew)
    jobs.push_back(std::move(job));
  return llvm::Error::success();
}

llvm::Error Store::list(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint) {
  for (auto weight : plan.getOps<plan::WeightOp>()) {
    if (options.onlyComputed && weight.getSource())
      continue;
    const int64_t first = weight.getFirstLayer().value_or(0), count = weight.getNumLayers().value_or(1);
    for (int64_t layer = first; layer < first + count; ++layer)
      if (llvm::Error error = addSlice(weight, layer, checkpoint))
        return error;
  }
  return llvm::Error::success();
}

llvm::Error Store::checkSpace() const {
  uint64_t wanted = 0;
  for (const Job &job : jobs)
    if (llvm::none_of(options.logs, [&](const PackLog &log) { return log.find(job.recipe); }))
      wanted += job.fileBytes;
  llvm::Expected<uint64_t> available = freeBytes(options.directory);
  if (!available)
    return available.takeError();
  if (wanted <= *available)
    return llvm::Error::success();
  return import_::makeError("cannot write " + options.directory + ": the weights need " + llvm::Twine(wanted) +
                            " bytes (" + printBytes(wanted) + ") but " + llvm::Twine(*available) + " (" +
                            printBytes(*available) + ") are available: make room, or choose an -o on another disk");
}

bool Store::isWanted(llvm::StringRef path) const {
  return llvm::any_of(jobs, [&](const Job &job) {
    const FileRecord *file = options.logs.empty() ? nullptr : options.logs.front().find(job.recipe);
    return file && file->path == path;
  });
}

void Store::removeFiles(llvm::function_ref<bool(llvm::StringRef path)> keep) const {
  std::error_code code;
  for (llvm::sys::fs::directory_iterator it(options.directory + "/weights", code), end; it != end && !code;
       it.increment(code))
    if (!keep(("weights/" + llvm::sys::path::filename(it->path())).str()))
      llvm::sys::fs::remove(it->path());
}

//===- taking over -------------------------------------------------------------------------------------------===//

bool Store::link(const PackLog &log, const FileRecord &file) const {
  if (log.getDirectory() == options.directory)
    return true;
  const std::string from = log.getDirectory() + "/" + file.path, to = options.directory + "/" + file.path;
  if (::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST)
    return true;
  llvm::Expected<FileRecord> copied = copyFile(from, options.directory, file.path); // no links on this file system
  if (copied)
    return true;
  llvm::consumeError(copied.takeError());
  return false;
}

/// Whether a log has the file and the file is what its name says. One that is not is made anew.
bool Store::takeOver(Job &job, Progress &progress) {
  for (const PackLog &log : options.logs) {
    const FileRecord *file = log.find(job.recipe);
    if (!file || file->bytes != job.fileBytes)
      continue;
    llvm::Expected<FileRecord> found = hashFile(log.getDirectory(), file->path);
    if (!found) {
      llvm::consumeError(found.takeError());
      continue;
    }
    if (found->hash != file->hash || found->bytes != file->bytes) {
      llvm::errs() << "kimic: warning: " << log.getDirectory() << "/" << file->path << " has " << found->bytes
                   << " bytes with hash " << found->hash << " but was written as " << file->bytes
                   << " bytes: it is damaged, and packed again\n";
      continue;
    }
    if (!link(log, *file))
      continue;
    job.file = *file;
    job.reused = true;
    progress.advance(job.fileBytes);
    return true;
  }
  return false;
}

//===- packing -----------------------------------------------------------------------------------------------===//

llvm::Error Store::stream(Job &job, Sink write, Progress &progress) {
  if (job.weight.getRope()) {
    const std::vector<float> table = ropeTable(*job.weight.getRope(), job.weight.getTensorType().getDimSize(0));
    progress.advance(table.size() * sizeof(float));
    return write(llvm::ArrayRef<char>(reinterpret_cast<const char *>(table.data()), table.size() * sizeof(float)));
  }
  ReadAhead ahead(job.source, sources.getFiles());
  auto seeSource = [&](llvm::ArrayRef<char> bytes) {
    ahead.advance(bytes.size());
    return llvm::Error::success();
  };
  auto writePacked = [&](llvm::ArrayRef<char> bytes) {
    progress.advance(bytes.size());
    return write(bytes);
  };
  return WeightPacker(job.weight, job.source, sources.getFiles()).stream(seeSource, writePacked);
}

llvm::Error Store::pack(Job &job, size_t index, Progress &progress) {
  const std::string partial = options.directory + "/weights/" + std::to_string(index) + ".part";
  llvm::Expected<OutputFile> file = OutputFile::create(partial, job.fileBytes);
  if (!file)
    return file.takeError();
  if (llvm::Error error = stream(job, [&](llvm::ArrayRef<char> bytes) { return file->append(bytes); }, progress))
    return error;
  if (llvm::Error error = file->padTo(kFileAlignment))
    return error;
  llvm::Expected<FileRecord> record = file->finish(partial);
  if (!record)
    return record.takeError();
  record->path = weightPath(record->hash);
  job.file = *record;
  // The name is the last thing a file gets: what has one is whole.
  if (std::error_code code = llvm::sys::fs::rename(partial, options.directory + "/" + record->path))
    return fileError("write", options.directory + "/" + record->path, code.value());
  return llvm::Error::success();
}

llvm::Error Store::make(size_t index, PackLogWriter &log, Progress &progress) {
  Job &job = jobs[index];
  if (!takeOver(job, progress))
    if (llvm::Error error = pack(job, index, progress))
      return error;
  return log.append({job.recipe, job.file, job.label});
}

llvm::Error Store::packAll() {
  uint64_t total = 0;
  for (const Job &job : jobs)
    total += job.fileBytes;
  llvm::Expected<PackLogWriter> log = PackLogWriter::open(options.directory);
  if (!log)
    return log.takeError();
  // In the order of the checkpoint's bytes: disks like that best.
  llvm::SmallVector<size_t> order = llvm::to_vector(llvm::seq<size_t>(0, jobs.size()));
  auto placeOf = [&](size_t index) {
    const std::vector<SourceRun> &runs = jobs[index].source.runs;
    return runs.empty() ? std::pair<unsigned, uint64_t>() : std::pair(runs.front().file, runs.front().offset);
  };
  llvm::stable_sort(order, [&](size_t a, size_t b) { return placeOf(a) < placeOf(b); });
  Progress progress("packing", total, options.progress);
  return parallelFor(jobs.size(), std::min(options.threads, kMaxThreads),
                     [&](size_t index) { return make(order[index], *log, progress); });
}

//===- the result --------------------------------------------------------------------------------------------===//

llvm::Error Store::writeLog() const {
  std::vector<PackLogLine> lines;
  for (const Job &job : jobs)
    lines.push_back({job.recipe, job.file, job.label});
  return writePackLog(options.directory, lines);
}

PackedWeights Store::collect() const {
  PackedWeights packed;
  std::map<std::string, const Job *> byPath; // equal bytes are one file
  for (const Job &job : jobs)
    byPath.try_emplace(job.file.path, &job);
  std::map<std::string, unsigned> indices;
  for (const auto &[path, job] : byPath) {
    indices[path] = static_cast<unsigned>(packed.files.size());
    packed.files.push_back(job->file);
    packed.bytes += job->file.bytes;
    packed.reused += job->reused;
    if (job->reused)
      packed.verified.insert(path);
    else
      packed.packedBytes += job->file.bytes;
  }
  for (Slice slice : slices)
    packed.slices[slice.weight.getSymName()].push_back({indices[jobs[slice.job].file.path], 0});
  return packed;
}

} // namespace

llvm::Expected<PackedWeights> packWeights(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint,
                                          const SourceFiles &sources, const PackOptions &options) {
  Store store(options, sources);
  if (llvm::Error error = store.list(plan, checkpoint))
    return error;
  store.removeFiles([&](llvm::StringRef path) { return store.isWanted(path); });
  if (llvm::Error error = store.checkSpace())
    return error;
  if (llvm::Error error = store.packAll())
    return error;
  if (llvm::Error error = sources.checkUnchanged())
    return error;
  if (llvm::Error error = store.writeLog())
    return error;
  PackedWeights packed = store.collect();
  llvm::StringSet<> paths;
  for (const FileRecord &file : packed.files)
    paths.insert(file.path);
  store.removeFiles([&](llvm::StringRef path) { return paths.contains(path); });
  return packed;
}

} // namespace kimi::emit
