// kimi-specialise: one entry function per token bucket, from @step.
#include "passes/specialise/Options.h"
#include "passes/specialise/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kimi::passes {
#define GEN_PASS_DEF_SPECIALISE
#include "passes/specialise/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using kimi::model::EntryAttr;
using kimi::model::EntryKind;

namespace {

constexpr int64_t kDefaultMaxSequences = 16, kDefaultMaxTokens = 512;
constexpr int64_t kSmallestMixed = 64;
constexpr llvm::StringLiteral kStepName = "step";

/// `first`, then each `factor` times the one before, below `last`; then `last`.
SmallVector<int64_t> listBuckets(int64_t first, int64_t factor, int64_t last) {
  SmallVector<int64_t> buckets;
  for (int64_t bucket = first; bucket < last; bucket *= factor)
    buckets.push_back(bucket);
  buckets.push_back(last);
  return buckets;
}

struct Specialise : kimi::passes::impl::SpecialiseBase<Specialise> {
  void runOnOperation() override;
  LogicalResult addEntry(func::FuncOp step, EntryKind kind, int64_t tokens, int64_t sequences);
};

LogicalResult Specialise::addEntry(func::FuncOp step, EntryKind kind, int64_t tokens, int64_t sequences) {
  const std::string name = (kimi::model::stringifyEntryKind(kind) + "_" + Twine(tokens)).str();
  if (Operation *taken = SymbolTable::lookupSymbolIn(getOperation(), name))
    return taken->emitError() << "the name @" << name << " is needed for the entry of " << tokens
                              << " tokens: rename this symbol";
  OpBuilder builder(step);
  auto entry = cast<func::FuncOp>(builder.clone(*step));
  entry.setName(name);
  entry->setAttr(kimi::model::kEntryAttr, EntryAttr::get(&getContext(), kind, tokens, sequences, sequences));
  return success();
}

void Specialise::runOnOperation() {
  ModuleOp module = getOperation();
  auto step = module.lookupSymbol<func::FuncOp>(kStepName);
  if (!step) {
    module.emitError() << "the module has no func.func @" << kStepName
                       << " to make entries from: run this pass on what import wrote";
    return signalPassFailure();
  }
  FailureOr<int64_t> maxSequences = kimi::passes::readPositiveOption(module, "max_sequences", kDefaultMaxSequences);
  FailureOr<int64_t> maxTokens = kimi::passes::readPositiveOption(module, "max_tokens", kDefaultMaxTokens);
  if (failed(maxSequences) || failed(maxTokens))
    return signalPassFailure();
  for (int64_t tokens : listBuckets(1, 2, *maxSequences))
    if (failed(addEntry(step, EntryKind::decode, tokens, tokens)))
      return signalPassFailure();
  // A step holds no more sequences than tokens: each brings at least one.
  for (int64_t tokens : listBuckets(kSmallestMixed, 4, *maxTokens))
    if (failed(addEntry(step, EntryKind::mixed, tokens, std::min(*maxSequences, tokens))))
      return signalPassFailure();
  step.erase();
}

} // namespace

// Here and nowhere else: which passes are the phase.
void kimi::passes::addSpecialisePasses(OpPassManager &passes) {
  passes.addPass(createSpecialise());
  passes.addPass(createChooseAttentionForm());
  // From here on latent_attention means the expanded form.
  passes.addPass(createAbsorbAttention());
}
