// Whole files as text.
//
// Thread rule: free function.
#pragma once

#include "runtime/base/Status.h"

#include <filesystem>
#include <string>

namespace kimi::text {

/// Errors name the file and the reason.
Expected<std::string> readFile(const std::filesystem::path &file);

} // namespace kimi::text
