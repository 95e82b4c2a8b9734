// XXH3-128, the one hash of the artifact. Thread rule: pure functions.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kimi::runtime {

/// 32 lower-case hex digits, high word first.
std::string hashHex(std::span<const std::byte> bytes);

/// The same for long data: adds to `hashedBytes` piece by piece as it goes, and gives up with an empty string
/// once `stop` is set.
std::string hashHex(std::span<const std::byte> bytes, std::atomic<uint64_t> &hashedBytes,
                    const std::atomic<bool> &stop);

} // namespace kimi::runtime
