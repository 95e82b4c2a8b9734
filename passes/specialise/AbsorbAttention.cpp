// kimi-absorb-attention: latent_attention of the form absorbed becomes absorb_query, paged_attention, expand_value.
#include "passes/specialise/Passes.h"

namespace kimi::passes {
#define GEN_PASS_DEF_ABSORBATTENTION
#include "passes/specialise/Passes.h.inc"
} // namespace kimi::passes

using namespace mlir;
using namespace kimi::model;

namespace {

void absorb(LatentAttentionOp attention) {
  OpBuilder builder(attention);
  const Location loc = attention.getLoc();
  auto keyType = cast<RankedTensorType>(attention.getKeyWeight().getType());
  auto latentType = RankedTensorType::get({ShapedType::kDynamic, keyType.getDimSize(0), keyType.getDimSize(2)},
                                          builder.getF32Type());
  const Value query = AbsorbQueryOp::create(builder, loc, latentType, attention.getQuery(), attention.getKeyWeight());
  const Value attended = PagedAttentionOp::create(
      builder, loc, latentType, query, attention.getQueryRope(), attention.getCache(), attention.getPositions(),
      attention.getSequences(), attention.getTables(), attention.getScaleAttr());
  const Value result = ExpandValueOp::create(builder, loc, attention.getResult().getType(), attended,
                                             attention.getValueWeight());
  attention.replaceAllUsesWith(result);
  attention.erase();
}

struct AbsorbAttention : kimi::passes::impl::AbsorbAttentionBase<AbsorbAttention> {
  void runOnOperation() override {
    SmallVector<LatentAttentionOp> attentions;
    getOperation().walk([&](LatentAttentionOp attention) { attentions.push_back(attention); });
    for (LatentAttentionOp attention : attentions) {
      if (!attention.getForm()) {
        attention.emitOpError() << "has no form: run kimi-choose-attention-form first, or write `form <absorbed>`";
        return signalPassFailure();
      }
      if (*attention.getForm() == AttentionForm::absorbed)
        absorb(attention);
    }
  }
};

} // namespace
