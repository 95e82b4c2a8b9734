#include "Translate.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <vector>

namespace emulate {

namespace {

using Result = std::expected<std::string, std::string>;

std::string trimmed(const std::string &text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

/// Splits at `separator` outside of parentheses, brackets, braces and strings.
std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts(1);
  int depth = 0;
  bool inString = false;
  for (char c : text) {
    inString ^= c == '"';
    if (!inString)
      depth += std::string("([{").contains(c) ? 1 : std::string(")]}").contains(c) ? -1 : 0;
    if (c == separator && depth == 0 && !inString)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// One past the parenthesis that closes the one at `open`; npos: none does.
size_t closing(const std::string &text, size_t open) {
  int depth = 0;
  bool inString = false;
  for (size_t at = open; at < text.size(); ++at) {
    inString ^= text[at] == '"';
    if (!inString)
      depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
    if (depth == 0)
      return at + 1;
  }
  return std::string::npos;
}

/// `"=f"(result), "f"(x)` → result, x.
std::vector<std::string> operands(const std::string &list) {
  std::vector<std::string> found;
  for (const std::string &part : split(list, ','))
    if (const size_t open = part.find('('); open != std::string::npos)
      found.push_back(part.substr(open, closing(part, open) - open));
  return found;
}

/// What stands between the parentheses of an `asm`, as a call.
Result call(const std::string &inside) {
  std::vector<std::string> parts = split(inside, ':');
  std::string text = trimmed(parts.front());
  std::erase(text, '"');
  if (text.empty() || text.find(';') != text.size() - 1)
    return std::unexpected("asm of one PTX instruction is emulated, not \"" + text + "\"");
  text.pop_back();
  std::vector<std::string> values;
  for (size_t part = 1; part < std::min<size_t>(parts.size(), 3); ++part)
    for (std::string &value : operands(parts[part]))
      values.push_back(std::move(value));
  const size_t end = std::min(text.find(' '), text.size());
  std::string result = "ptx_", arguments;
  for (char c : text.substr(0, end))
    result += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  for (const std::string &argument : split(text.substr(end), ',')) {
    const std::string operand = trimmed(argument);
    if (operand.empty())
      continue;
    const size_t number = operand.front() == '%' ? std::stoul("0" + operand.substr(1)) : values.size();
    if (number >= values.size())
      return std::unexpected("operand " + operand + " of PTX instruction " + text.substr(0, end) + " is not emulated");
    arguments += (arguments.empty() ? "" : ", ") + values[number];
  }
  return result + "(" + arguments + ")";
}

size_t lineOf(const std::string &text, size_t at) {
  return 1 + size_t(std::count(text.begin(), text.begin() + long(at), '\n'));
}

/// Replaces every `asm`.
Result withoutAsm(const std::string &text) {
  static const std::regex head(R"(\basm\s*(volatile\s*)?\()");
  std::string result;
  size_t done = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), head), end; match != end; ++match) {
    const size_t begin = size_t(match->position()), open = begin + size_t(match->length()) - 1,
                 close = closing(text, open);
    if (close == std::string::npos)
      return std::unexpected(std::to_string(lineOf(text, begin)) + ": asm without an end");
    const std::string inside = text.substr(open + 1, close - open - 2);
    Result replaced = call(inside);
    if (!replaced)
      return std::unexpected(std::to_string(lineOf(text, begin)) + ": " + replaced.error());
    result += text.substr(done, begin - done) + *replaced + std::string(size_t(std::ranges::count(inside, '\n')), '\n');
    done = close;
  }
  return result + text.substr(done);
}

} // namespace

Result translate(const std::string &cuda) {
  static const std::regex kernelHead(
      R"re(extern "C" __global__ void(?:\s+__launch_bounds__\(\s*(\d+)[^)]*\))?(\s+)(\w+)\s*\()re");
  static const std::regex sharedArray(R"(extern __shared__(?: __align__\(\d+\))? (\w+) (\w+)\[\];)");
  std::smatch head;
  if (!std::regex_search(cuda, head, kernelHead))
    return std::unexpected(std::to_string(lineOf(cuda, cuda.size())) +
                           ": there is no extern \"C\" __global__ function");
  const std::string threads = head[1].matched ? head[1].str() : "1024", name = head[3];
  Result text = withoutAsm(cuda);
  if (!text)
    return text;
  *text = std::regex_replace(*text, kernelHead, "static void$2emulatedKernel(");
  *text = std::regex_replace(*text, sharedArray, "$1 *const $2 = reinterpret_cast<$1 *>(emulate::sharedMemory());");
  return *text + "\nEMULATE_IMAGE(" + name + ", " + threads + ")\n";
}

} // namespace emulate
