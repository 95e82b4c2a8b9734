#include "runtime/engine/Dims.h"

#include <algorithm>

namespace kimi::runtime {

Dims dimsAtCapacity(const artifact::Capacity &capacity, int64_t cacheBlocks, int64_t contextPerToken) {
  using artifact::DimSymbol;
  Dims dims{};
  dim(dims, DimSymbol::one) = 1;
  dim(dims, DimSymbol::tokens) = capacity.max_tokens();
  dim(dims, DimSymbol::sequences) = capacity.max_sequences();
  dim(dims, DimSymbol::logit_rows) = capacity.max_logit_rows();
  dim(dims, DimSymbol::table_blocks) = capacity.max_table_blocks();
  dim(dims, DimSymbol::cache_blocks) = cacheBlocks;
  dim(dims, DimSymbol::bias_entries) = capacity.max_bias_entries();
  dim(dims, DimSymbol::penalty_entries) = capacity.max_penalty_entries();
  dim(dims, DimSymbol::context_tokens) = capacity.max_tokens() * contextPerToken;
  return dims;
}

double cost(const CostTerms *terms, const Dims &dims) {
  double sum = 0;
  if (!terms)
    return sum;
  for (const artifact::CostTerm *term : *terms) {
    double count = double(dims[size_t(term->symbol())]) * double(term->multiplier());
    if (term->cap() > 0)
      count = std::min(count, double(term->cap()));
    sum += count * double(term->amount());
  }
  return sum;
}

} // namespace kimi::runtime
