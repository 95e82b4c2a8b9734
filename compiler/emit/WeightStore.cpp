#include "compiler/emit/WeightStore.h"

#include "compiler/emit/Parallel.h"
#include "compiler/emit/RopeTable.h"
#include "compiler/emit/WeightPacker.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <unistd.h>

namespace kimi::emit {

// A page: files can be mapped, read with O_DIRECT, and a vector load at the end stays inside.
static constexpr uint64_t kFileAlignment = 4096;

namespace {

/// One layer of one weight.
struct Slice {
  plan::WeightOp weight;
  WeightSource source; // empty for rope tables
  uint64_t bytes = 0;  // of the source, for progress
  FileRecord file;     // when it is packed
  bool reused = false;
};

class Store {
public:
  Store(const std::string &directory, const EarlierFiles &earlier) : directory(directory), earlier(earlier) {}

  llvm::Error openSources(const import_::CheckpointIndex &checkpoint);
  llvm::Error list(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint);
  llvm::Error packAll(unsigned threads);
  PackedWeights collect();

private:
  llvm::Error pack(size_t index);
  llvm::Error streamSlice(Slice &slice, Sink seeSource, Sink writePacked);
  llvm::Expected<bool> reuse(Slice &slice, const std::string &path);

  const std::string &directory;
  const EarlierFiles &earlier;
  std::vector<InputFile> sources;
  std::vector<Slice> slices;
};

/// What of a weight, beside its bytes, decides how the file looks.
std::string describe(plan::WeightOp weight) {
  std::string text;
  llvm::raw_string_ostream(text) << "kimi weight file 1: " << weight.getTensorType() << " " << weight.getLayout();
  return text;
}

llvm::Error Store::openSources(const import_::CheckpointIndex &checkpoint) {
  for (const std::string &path : checkpoint.getFiles()) {
    llvm::Expected<InputFile> file = InputFile::open(path);
    if (!file)
      return file.takeError();
    sources.push_back(std::move(*file));
  }
  return llvm::Error::success();
}

llvm::Error Store::list(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint) {
  for (auto weight : plan.getOps<plan::WeightOp>()) {
    const int64_t first = weight.getFirstLayer().value_or(0), count = weight.getNumLayers().value_or(1);
    for (int64_t layer = first; layer < first + count; ++layer) {
      Slice slice;
      slice.weight = weight;
      const auto shape = weight.getTensorType().getShape();
      slice.bytes = static_cast<uint64_t>(mlir::ShapedType::getNumElements(shape)) *
                    weight.getTensorType().getElementTypeBitWidth() / 8;
      if (weight.getSource()) {
        llvm::Expected<WeightSource> source = findSource(weight, layer, checkpoint);
        if (!source)
          return source.takeError();
        slice.source = std::move(*source);
      }
      slices.push_back(std::move(slice));
    }
  }
  return llvm::Error::success();
}

llvm::Error Store::streamSlice(Slice &slice, Sink seeSource, Sink writePacked) {
  if (slice.weight.getSource())
    return WeightPacker(slice.weight, slice.source, sources).stream(seeSource, writePacked);
  const std::vector<float> table =
      ropeTable(*slice.weight.getRope(), slice.weight.getTensorType().getDimSize(0));
  const llvm::ArrayRef<char> bytes(reinterpret_cast<const char *>(table.data()), table.size() * sizeof(float));
  if (llvm::Error error = seeSource(bytes))
    return error;
  return writePacked ? writePacked(bytes) : llvm::Error::success();
}

/// Takes `path` from the earlier artifact, if it has it. Its bytes are verified with all others at the end.
llvm::Expected<bool> Store::reuse(Slice &slice, const std::string &path) {
  auto found = earlier.files.find(path);
  if (found == earlier.files.end())
    return false;
  const std::string from = earlier.directory + "/" + path, to = directory + "/" + path;
  slice.file = found->second;
  slice.reused = true;
  if (::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST)
    return true;
  llvm::Expected<FileRecord> copied = copyFile(from, directory, path); // no links on this file system
  if (!copied)
    return copied.takeError();
  return true;
}

static std::string pathOf(const Hasher &identity) { return "weights/" + identity.hex().substr(0, 16) + ".bin"; }

llvm::Error Store::pack(size_t index) {
  Slice &slice = slices[index];
  const std::string description = describe(slice.weight);
  auto begin = [&] {
    Hasher identity;
    identity.update(description);
    return identity;
  };
  auto into = [](Hasher &hasher) {
    return [&hasher](llvm::ArrayRef<char> bytes) {
      hasher.update(bytes);
      return llvm::Error::success();
    };
  };
  // Names are known once the source was read. Where an earlier artifact may have the file, that is worth a pass.
  if (!earlier.files.empty()) {
    Hasher identity = begin();
    if (llvm::Error error = streamSlice(slice, into(identity), nullptr))
      return error;
    llvm::Expected<bool> reused = reuse(slice, pathOf(identity));
    if (!reused)
      return reused.takeError();
    if (*reused)
      return llvm::Error::success();
  }
  Hasher identity = begin();
  const std::string partial = directory + "/weights/" + std::to_string(index) + ".part";
  llvm::Expected<OutputFile> file = OutputFile::create(partial);
  if (!file)
    return file.takeError();
  auto write = [&](llvm::ArrayRef<char> bytes) { return file->append(bytes); };
  if (llvm::Error error = streamSlice(slice, into(identity), write))
    return error;
  if (llvm::Error error = file->padTo(kFileAlignment))
    return error;
  llvm::Expected<FileRecord> record = file->finish(pathOf(identity));
  if (!record)
    return record.takeError();
  slice.file = *record;
  if (std::error_code code = llvm::sys::fs::rename(partial, directory + "/" + record->path))
    return fileError("write", directory + "/" + record->path, code.value());
  return llvm::Error::success();
}

llvm::Error Store::packAll(unsigned threads) {
  uint64_t total = 0;
  for (const Slice &slice : slices)
    total += slice.bytes;
  ProgressLine progress("packing weights", total);
  return parallelFor(slices.size(), threads, [&](size_t index) -> llvm::Error {
    if (llvm::Error error = pack(index))
      return error;
    progress.advance(slices[index].bytes);
    return llvm::Error::success();
  });
}

PackedWeights Store::collect() {
  PackedWeights packed;
  std::map<std::string, const Slice *> byPath; // equal weights are one file
  for (const Slice &slice : slices)
    byPath.try_emplace(slice.file.path, &slice);
  std::map<std::string, unsigned> indices;
  for (const auto &[path, slice] : byPath) {
    indices[path] = static_cast<unsigned>(packed.files.size());
    packed.files.push_back(slice->file);
    packed.bytes += slice->file.bytes;
    packed.reused += slice->reused;
  }
  for (Slice &slice : slices)
    packed.slices[slice.weight.getSymName()].push_back(indices[slice.file.path]);
  return packed;
}

} // namespace

llvm::Expected<PackedWeights> packWeights(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint,
                                          const std::string &directory, const EarlierFiles &earlier,
                                          unsigned threads) {
  Store store(directory, earlier);
  if (llvm::Error error = store.openSources(checkpoint))
    return error;
  if (llvm::Error error = store.list(plan, checkpoint))
    return error;
  if (llvm::Error error = store.packAll(threads))
    return error;
  return store.collect();
}

} // namespace kimi::emit
