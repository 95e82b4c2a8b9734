#include "compiler/emit/ReferredWeights.h"

#include "compiler/emit/Parallel.h"
#include "compiler/emit/WeightPacker.h"
#include "compiler/import/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <unistd.h>

namespace kimi::emit {

namespace {

/// Where a layer of a weight begins in the checkpoint.
struct Start {
  unsigned file = 0; // of the checkpoint
  uint64_t offset = 0;
};

class Referrer {
public:
  Referrer(const import_::CheckpointIndex &checkpoint, const SourceFiles &sources)
      : checkpoint(checkpoint), sources(sources) {}

  llvm::Expected<Start> place(plan::WeightOp weight, int64_t layer);

private:
  llvm::Error cannotStay(plan::WeightOp weight, const llvm::Twine &why);
  /// Bytes from one run of the source to the next, as the layout has it.
  uint64_t pitchBytes(plan::WeightOp weight, uint64_t runBytes);

  const import_::CheckpointIndex &checkpoint;
  const SourceFiles &sources;
};

llvm::Error Referrer::cannotStay(plan::WeightOp weight, const llvm::Twine &why) {
  std::string layout;
  llvm::raw_string_ostream(layout) << weight.getLayout();
  return import_::makeError("weight " + weight.getSymName() + " in " + layout +
                            " is no strided slice of the checkpoint: " + why + ": use --weights=packed");
}

uint64_t Referrer::pitchBytes(plan::WeightOp weight, uint64_t runBytes) {
  if (weight.getLayout().getKind() != kernel::LayoutKind::strided)
    return runBytes;
  const mlir::RankedTensorType type = weight.getTensorType();
  return static_cast<uint64_t>(weight.getLayout().getWidth() * type.getShape().back()) *
         type.getElementTypeBitWidth() / 8;
}

llvm::Expected<Start> Referrer::place(plan::WeightOp weight, int64_t layer) {
  llvm::Expected<WeightSource> source = findSource(weight, layer, checkpoint);
  if (!source)
    return source.takeError();
  const mlir::RankedTensorType type = weight.getTensorType();
  const uint64_t elementBytes = import_::dataTypeBytes(source->type);
  if (weight.getLayout().getKind() == kernel::LayoutKind::panel)
    return cannotStay(weight, "panels are another order of its elements");
  if (elementBytes * 8 != type.getElementTypeBitWidth())
    return cannotStay(weight, "it is stored as " + import_::dataTypeName(source->type) + " and would have to be widened");
  const SourceRun &first = source->runs.front();
  if (!first.rows.empty())
    return cannotStay(weight, "a row of tensor \"" + first.tensor + "\" is the scales of " +
                                  llvm::Twine(weight.getQuantised()->getBlockRows()) +
                                  " rows of codes, and would have to be repeated for each");
  const uint64_t pitch = pitchBytes(weight, first.elements * elementBytes);
  for (auto [index, run] : llvm::enumerate(source->runs))
    if (run.file != first.file || run.offset != first.offset + index * pitch)
      return cannotStay(weight, "part " + llvm::Twine(index) + " of it lies at byte " + llvm::Twine(run.offset) + " of " +
                                    checkpoint.getFiles()[run.file] + " but would have to lie at " +
                                    llvm::Twine(first.offset + index * pitch) + " of " +
                                    checkpoint.getFiles()[first.file]);
  auto rows = weight.getRows();
  const uint64_t before = rows ? static_cast<uint64_t>(rows->getBegin() * type.getShape().back()) * elementBytes : 0;
  const Start start{first.file, first.offset - before};
  const uint64_t end = start.offset + static_cast<uint64_t>(type.getNumElements()) * elementBytes;
  if (const FileIdentity &file = sources.getIdentities()[first.file]; end > file.bytes)
    return cannotStay(weight, "it would end at byte " + llvm::Twine(end) + " of " + file.path + ", which has " +
                                  llvm::Twine(file.bytes));
  if (start.offset % elementBytes)
    return cannotStay(weight, "it begins at byte " + llvm::Twine(start.offset) + ", which is no multiple of its " +
                                  llvm::Twine(elementBytes) + "-byte elements");
  return start;
}

/// One layer of one weight.
struct ReferredSlice {
  plan::WeightOp weight;
  int64_t layer = 0;
  Start start;
};

/// Whether some of its bytes are no numbers that kernels can take. Every nibble is one.
bool needsCheck(plan::WeightOp weight) {
  auto quantised = weight.getQuantised();
  return quantised && (quantised->getPart() == model::QuantisedPart::scales ||
                       !weight.getLogicalType().getElementType().isInteger(4));
}

/// Reads what packing would have looked at while it read.
llvm::Error checkNumbers(llvm::ArrayRef<ReferredSlice> slices, const import_::CheckpointIndex &checkpoint,
                         const SourceFiles &sources, const PackOptions &options) {
  const auto checked = llvm::to_vector(
      llvm::make_filter_range(slices, [](const ReferredSlice &slice) { return needsCheck(slice.weight); }));
  return parallelFor(checked.size(), options.threads, [&](size_t index) -> llvm::Error {
    llvm::Expected<WeightSource> source = findSource(checked[index].weight, checked[index].layer, checkpoint);
    if (!source)
      return source.takeError();
    return WeightPacker(checked[index].weight, *source, sources.getFiles()).stream(nullptr, nullptr);
  });
}

/// Links `directory`/checkpoint/NAME to every file in `used` and hashes it. In their order.
llvm::Expected<std::vector<FileRecord>> linkFiles(const std::map<unsigned, unsigned> &used, const SourceFiles &sources,
                                                  const PackOptions &options) {
  const std::string folder = options.directory + "/checkpoint";
  if (std::error_code code = llvm::sys::fs::create_directory(folder, /*IgnoreExisting=*/true, llvm::sys::fs::all_all))
    return fileError("create", folder, code.value());
  std::vector<FileRecord> records;
  uint64_t total = 0;
  for (const auto &[file, index] : used) {
    const FileIdentity &identity = sources.getIdentities()[file];
    const std::string path = ("checkpoint/" + llvm::sys::path::filename(identity.path)).str();
    if (::symlink(identity.path.c_str(), (options.directory + "/" + path).c_str()) != 0)
      return fileError("link", options.directory + "/" + path, errno);
    records.push_back({path, identity.bytes, {}, /*isReference=*/true});
    total += identity.bytes;
  }
  Progress progress("hashing", total, options.progress);
  if (llvm::Error error = parallelFor(records.size(), options.threads, [&](size_t index) -> llvm::Error {
        llvm::Expected<FileRecord> found =
            hashFile(options.directory, records[index].path, [&](uint64_t bytes) { progress.advance(bytes); });
        if (!found)
          return found.takeError();
        records[index].hash = found->hash;
        return llvm::Error::success();
      }))
    return error;
  return records;
}

} // namespace

llvm::Error referWeights(mlir::ModuleOp plan, const import_::CheckpointIndex &checkpoint, const SourceFiles &sources,
                         const PackOptions &options, PackedWeights &packed) {
  Referrer referrer(checkpoint, sources);
  std::map<unsigned, unsigned> used; // file of the checkpoint → index into packed.files
  std::vector<ReferredSlice> slices;
  for (auto weight : plan.getOps<plan::WeightOp>()) {
    if (!weight.getSource())
      continue;
    const int64_t first = weight.getFirstLayer().value_or(0), count = weight.getNumLayers().value_or(1);
    for (int64_t layer = first; layer < first + count; ++layer) {
      llvm::Expected<Start> start = referrer.place(weight, layer);
      if (!start)
        return start.takeError();
      used[start->file] = 0;
      slices.push_back({weight, layer, *start});
    }
  }
  if (llvm::Error error = checkNumbers(slices, checkpoint, sources, options))
    return error;
  llvm::Expected<std::vector<FileRecord>> files = linkFiles(used, sources, options);
  if (!files)
    return files.takeError();
  for (auto [entry, record] : llvm::zip_equal(used, *files)) {
    entry.second = static_cast<unsigned>(packed.files.size());
    packed.files.push_back(record);
    packed.bytes += record.bytes;
    packed.verified.insert(record.path);
  }
  for (ReferredSlice &slice : slices)
    packed.slices[slice.weight.getSymName()].push_back({used[slice.start.file], slice.start.offset});
  return sources.checkUnchanged();
}

} // namespace kimi::emit
