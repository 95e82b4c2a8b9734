#include "runtime/base/Hash.h"

#include <algorithm>
#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kimi::runtime {

// Small enough that progress moves and a stop is seen within milliseconds, large enough to cost nothing.
static constexpr size_t kPieceBytes = size_t(4) << 20;

static std::string toHex(XXH128_hash_t hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hashHex(std::span<const std::byte> bytes) {
  return toHex(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string hashHex(std::span<const std::byte> bytes, std::atomic<uint64_t> &hashedBytes,
                    const std::atomic<bool> &stop) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  while (!bytes.empty()) {
    if (stop.load(std::memory_order_relaxed))
      return {};
    auto piece = bytes.first(std::min(bytes.size(), kPieceBytes));
    XXH3_128bits_update(&state, piece.data(), piece.size());
    hashedBytes.fetch_add(piece.size(), std::memory_order_relaxed);
    bytes = bytes.subspan(piece.size());
  }
  return toHex(XXH3_128bits_digest(&state));
}

} // namespace kimi::runtime
