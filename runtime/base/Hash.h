// XXH3-128, the one hash of the artifact. Thread rule: pure functions.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kimi::runtime {

/// Of bytes that come in pieces. Thread rule: one thread at a time.
class Hasher {
public:
  Hasher();
  void update(std::span<const std::byte> bytes);

  /// Of all bytes so far.
  std::string hex() const;

private:
  static constexpr size_t kStateBytes = 576, kStateAlignment = 64;
  alignas(kStateAlignment) std::byte state[kStateBytes];
};

/// 32 lower-case hex digits, high word first.
std::string hashHex(std::span<const std::byte> bytes);

/// The same for long data: adds to `hashedBytes` piece by piece as it goes, and gives up with an empty string
/// once `stop` is set.
std::string hashHex(std::span<const std::byte> bytes, std::atomic<uint64_t> &hashedBytes,
                    const std::atomic<bool> &stop);

} // namespace kimi::runtime
