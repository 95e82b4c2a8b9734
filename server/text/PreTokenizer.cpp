#include "server/text/PreTokenizer.h"

#include "server/text/Unicode16.h"
#include "server/text/Utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <fmt/format.h>
#include <string>

namespace kimi::text {

namespace {

// The reference pattern is written for Rust's regex engines. What it says differently here, and why:
// - class intersection, [X&&[^\p{Han}]]: PCRE2 10.42 reads && as two ampersands, so a lookahead takes Han
// out;
// - \p{Han} means the Script property; PCRE2's \p{Han} means Script_Extensions, which holds 、 and more:
// \p{sc:Han};
// - \s means White_Space; PCRE2's \s also holds U+180E: the set is spelt out;
// - characters newer than PCRE2's tables are added to their classes (Unicode16.h).
std::string pattern() {
  using namespace unicode16;
  const auto join = [](auto... parts) { return (std::string(parts) + ...); };
  const std::string han = join(R"([\p{sc:Han})", kHan, "]");
  const std::string inBoth = join(R"(\p{Lm}\p{Lo}\p{M})", kOtherLetters, kMarks);
  const std::string upper = join("(?:(?!", han, R"()[\p{Lu}\p{Lt})", inBoth, kUpper, "])");
  const std::string lower = join("(?:(?!", han, R"()[\p{Ll})", inBoth, kLower, "])");
  const std::string lettersAndNumbers = join(R"(\p{L}\p{N})", kHan, kUpper, kLower, kOtherLetters, kNumbers);
  const std::string lead = join(R"([^\r\n)", lettersAndNumbers, "]?");
  const std::string contraction = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)";
  const std::string spaces =
      R"(\x{09}-\x{0D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
  const std::string alternatives[] = {
      join(han, "+"),
      join(lead, upper, "*", lower, "+", contraction),
      join(lead, upper, "+", lower, "*", contraction),
      join(R"([\p{N})", kNumbers, "]{1,3}"),
      join(" ?[^", spaces, lettersAndNumbers, R"(]+[\r\n]*)"),
      join("[", spaces, R"(]*[\r\n]+)"),
      join("[", spaces, "]+(?![^", spaces, "])"),
      join("[", spaces, "]+"),
  };
  return fmt::format("{}", fmt::join(alternatives, "|"));
}

// A word may have 25,000 characters (kMaxRunCharacters), and the lookahead makes each one a frame to come
// back to.
constexpr size_t kJitStackStart = 32 << 10;
constexpr size_t kJitStackMax = 64 << 20; // address space; touched only as far as needed

std::string messageOf(int error) {
  PCRE2_UCHAR message[160];
  pcre2_get_error_message(error, message, sizeof message);
  return reinterpret_cast<const char *>(message);
}

} // namespace

void PreTokenizer::FreeCode::operator()(pcre2_code *code) const { pcre2_code_free(code); }

PreTokenizer::Scratch::Scratch(const PreTokenizer &owner)
    : match(pcre2_match_data_create_from_pattern(owner.code.get(), nullptr)),
      context(pcre2_match_context_create(nullptr)),
      stack(pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr)) {
  pcre2_set_match_limit(context, UINT32_MAX);
  pcre2_jit_stack_assign(context, nullptr, stack);
}

PreTokenizer::Scratch::~Scratch() {
  pcre2_jit_stack_free(stack);
  pcre2_match_context_free(context);
  pcre2_match_data_free(match);
}

Expected<PreTokenizer> PreTokenizer::create() {
  const std::string text = pattern();
  int error = 0;
  PCRE2_SIZE errorOffset = 0;
  PreTokenizer result;
  result.code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_NO_AUTO_CAPTURE, &error,
                                  &errorOffset, nullptr));
  if (!result.code)
    return failure(
        fmt::format("the tokenizer's pattern does not compile at offset {}: {}; PCRE2 10.40 or newer with "
                    "Unicode support is needed",
                    errorOffset, messageOf(error)));
  // Without JIT (some platforms have none) matching is slower, not different.
  pcre2_jit_compile(result.code.get(), PCRE2_JIT_COMPLETE);
  return result;
}

size_t PreTokenizer::wordLength(std::string_view text, size_t from, Scratch &scratch) const {
  const int count = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                PCRE2_NO_UTF_CHECK, scratch.match, scratch.context);
  const PCRE2_SIZE end = count > 0 ? pcre2_get_ovector_pointer(scratch.match)[1] : from;
  // The alternatives cover every character, so this is not reached; if it were, one character is a word.
  return end > from ? end - from : nextUtf8(text.substr(from)).length;
}

} // namespace kimi::text
