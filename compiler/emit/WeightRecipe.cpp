#include "compiler/emit/WeightRecipe.h"

#include "llvm/ADT/SmallSet.h"
#include "llvm/Support/raw_ostream.h"

namespace kimi::emit {

/// To be raised when the packer writes other bytes for the same weight.
static constexpr int kPackerVersion = 1;

/// Everything that is said of the weight but where it comes from: `source` knows that better.
static void printWeight(plan::WeightOp weight, llvm::raw_ostream &stream) {
  static constexpr llvm::StringLiteral kElsewhere[] = {"sym_name", "source", "first_layer", "num_layers"};
  for (mlir::NamedAttribute attribute : weight->getAttrs())
    if (!llvm::is_contained(kElsewhere, attribute.getName().getValue()))
      stream << attribute.getName().getValue() << " " << attribute.getValue() << "\n";
}

static void printSource(const WeightSource &source, llvm::ArrayRef<FileIdentity> files, llvm::raw_ostream &stream) {
  stream << import_::dataTypeName(source.type) << "\n";
  llvm::SmallSet<unsigned, 8> used;
  for (const SourceRun &run : source.runs) {
    used.insert(run.file);
    stream << files[run.file].path << " " << run.offset << " " << run.elements;
    for (uint32_t row : run.rows) // of scales: which of the run's rows each row of the weight repeats
      stream << " " << row;
    stream << "\n";
  }
  for (auto [index, file] : llvm::enumerate(files))
    if (used.contains(static_cast<unsigned>(index)))
      stream << file.path << " " << file.bytes << " " << file.inode << " " << file.modified << " " << file.changed
             << "\n";
}

std::string recipeOf(plan::WeightOp weight, const WeightSource &source, llvm::ArrayRef<FileIdentity> files) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "kimi weight " << kPackerVersion << "\n";
  printWeight(weight, stream);
  printSource(source, files, stream);
  return hashOf(text);
}

} // namespace kimi::emit
