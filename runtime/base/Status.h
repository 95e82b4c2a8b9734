// Errors as values. A Status or an Expected<T> travels up to the program's edge, gathering context on the way;
// nothing in runtime/ or server/ throws for bad input. Thread rule: values, freely copied.
#pragma once

#include "runtime/base/OneLine.h"

#include <expected>
#include <string>
#include <utility>

namespace kimi {

/// What went wrong, in one line a user can act on: what was expected, what was found, what to do next.
struct Error {
  std::string message;
};

template <typename T> using Expected = std::expected<T, Error>;
using Status = std::expected<void, Error>;

/// The one place where errors are made: whatever `message` quotes, it stays one line.
inline std::unexpected<Error> failure(std::string message) {
  return std::unexpected(Error{oneLine(std::move(message))});
}

/// Puts "context: " before an error on its way up.
inline std::unexpected<Error> failure(std::string_view context, const Error &error) {
  return failure(std::string(context) + ": " + error.message);
}

} // namespace kimi

/// TRY(call) returns from the caller with the call's error; TRY_ASSIGN(decl, call) also keeps the value.
#define TRY(call)                                                                                                    \
  do {                                                                                                               \
    if (auto status_ = (call); !status_)                                                                             \
      return std::unexpected(std::move(status_).error());                                                            \
  } while (false)
#define KIMI_CONCAT_(a, b) a##b
#define KIMI_CONCAT(a, b) KIMI_CONCAT_(a, b)
#define TRY_ASSIGN(decl, call) TRY_ASSIGN_(KIMI_CONCAT(tryResult, __LINE__), decl, call)
#define TRY_ASSIGN_(temporary, decl, call)                                                                           \
  auto temporary = (call);                                                                                           \
  if (!temporary)                                                                                                    \
    return std::unexpected(std::move(temporary).error());                                                            \
  decl = std::move(*temporary)
