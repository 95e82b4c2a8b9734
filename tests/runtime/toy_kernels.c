// The kernels of the toy artifact: a "model" small enough to compute by hand in the tests. Built without a C
// library, as compiled kernels are.
#include <stdint.h>

// The order of DimSymbol in runtime/schema/artifact.fbs.
enum { kOne, kTokens, kSequences, kLogitRows, kTableBlocks, kCacheBlocks };
enum { kBlockTokens = 64, kHidden = 8, kVocabulary = 97 };

// Task = token. x[t] = embedding[token_ids[t]]
void toy_embedding(void *const *buffers, const int64_t *dims, int64_t task) {
  const float *embedding = buffers[0];
  const int32_t *ids = buffers[1];
  float *x = buffers[2];
  for (int i = 0; i < kHidden; ++i)
    x[task * kHidden + i] = embedding[ids[task] * kHidden + i];
}

// Task = token. x[t] += bias
void toy_add(void *const *buffers, const int64_t *dims, int64_t task) {
  const float *bias = buffers[0];
  float *x = buffers[1];
  for (int i = 0; i < kHidden; ++i)
    x[task * kHidden + i] += bias[i];
}

// Task = token. cache[cache_slots[t]] = x[t]
void toy_cache_write(void *const *buffers, const int64_t *dims, int64_t task) {
  const float *x = buffers[0];
  const int32_t *slots = buffers[1];
  float *cache = buffers[2];
  for (int i = 0; i < kHidden; ++i)
    cache[(int64_t)slots[task] * kHidden + i] = x[task * kHidden + i];
}

// Task = token. x[t] = the sum of the sequence's cached rows up to the token's own position
void toy_cache_read(void *const *buffers, const int64_t *dims, int64_t task) {
  const float *cache = buffers[0];
  const int32_t *positions = buffers[1], *sequences = buffers[2], *tables = buffers[3];
  float *x = buffers[4];
  const int32_t *table = tables + sequences[task] * dims[kTableBlocks];
  float sum[kHidden] = {0};
  for (int32_t p = 0; p <= positions[task]; ++p) {
    int64_t slot = (int64_t)table[p / kBlockTokens] * kBlockTokens + p % kBlockTokens;
    for (int i = 0; i < kHidden; ++i)
      sum[i] += cache[slot * kHidden + i];
  }
  for (int i = 0; i < kHidden; ++i)
    x[task * kHidden + i] = sum[i];
}

// Grid [logit rows, vocabulary]. logits[r][v] = x[logit_rows[r]] . embedding[v]
void toy_logits(void *const *buffers, const int64_t *dims, int64_t task) {
  const float *x = buffers[0], *embedding = buffers[1];
  const int32_t *rows = buffers[2];
  float *logits = buffers[3];
  int64_t row = task / kVocabulary, token = task % kVocabulary;
  float sum = 0;
  for (int i = 0; i < kHidden; ++i)
    sum += x[rows[row] * kHidden + i] * embedding[token * kHidden + i];
  logits[task] = sum;
}

// Task = logit row. The highest logit, ties to the lowest token.
void toy_sample(void *const *buffers, const int64_t *dims, int64_t task) {
  const float *logits = buffers[0];
  int32_t *sampled = buffers[1], *finite = buffers[2];
  int32_t best = 0;
  for (int32_t v = 1; v < kVocabulary; ++v)
    if (logits[task * kVocabulary + v] > logits[task * kVocabulary + best])
      best = v;
  sampled[task] = best;
  finite[task] = 1;
}
