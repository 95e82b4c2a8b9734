#include "runtime/base/Hash.h"

#include <algorithm>
#include <fmt/format.h>
#include <new>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kimi::runtime {

// Small enough that progress moves and a stop is seen within milliseconds, large enough to cost nothing.
static constexpr size_t kPieceBytes = size_t(4) << 20;

static std::string toHex(XXH128_hash_t hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

static XXH3_state_t *asState(std::byte *bytes) { return reinterpret_cast<XXH3_state_t *>(bytes); }

Hasher::Hasher() {
  static_assert(sizeof(XXH3_state_t) <= kStateBytes && alignof(XXH3_state_t) <= kStateAlignment);
  XXH3_state_t *fresh = new (state) XXH3_state_t;
  XXH3_INITSTATE(fresh);
  XXH3_128bits_reset(fresh);
}

void Hasher::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(asState(state), bytes.data(), bytes.size());
}

std::string Hasher::hex() const {
  return toHex(XXH3_128bits_digest(asState(const_cast<std::byte *>(state))));
}

std::string hashHex(std::span<const std::byte> bytes) {
  return toHex(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string hashHex(std::span<const std::byte> bytes, std::atomic<uint64_t> &hashedBytes,
                    const std::atomic<bool> &stop) {
  Hasher hasher;
  while (!bytes.empty()) {
    if (stop.load(std::memory_order_relaxed))
      return {};
    auto piece = bytes.first(std::min(bytes.size(), kPieceBytes));
    hasher.update(piece);
    hashedBytes.fetch_add(piece.size(), std::memory_order_relaxed);
    bytes = bytes.subspan(piece.size());
  }
  return hasher.hex();
}

} // namespace kimi::runtime
