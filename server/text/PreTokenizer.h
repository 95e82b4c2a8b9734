// Splits text into the words that byte-pair merging works on, by the pattern of the Kimi-K2 tokenizer.
//
// Thread rule: a PreTokenizer never changes; each thread brings its own PreTokenizer::Scratch.
#pragma once

#include "runtime/base/Status.h"

#include <cstddef>
#include <memory>
#include <string_view>

// PCRE2's own types, without its header (which needs a code unit width from everyone who includes it).
struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace kimi::text {

class PreTokenizer {
public:
  static Expected<PreTokenizer> create();

  /// Memory for matching; made once per encode call, reused for all its words.
  class Scratch {
  public:
    explicit Scratch(const PreTokenizer &owner);
    ~Scratch();
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

  private:
    friend class PreTokenizer;
    pcre2_real_match_data_8 *match;
    pcre2_real_match_context_8 *context;
    pcre2_real_jit_stack_8 *stack;
  };

  /// The length in bytes of the word at `from`; at least one character. `text` is valid UTF-8, from <
  /// text.size(). Words never reach over text's end: what follows in another chunk does not count.
  size_t wordLength(std::string_view text, size_t from, Scratch &scratch) const;

private:
  struct FreeCode {
    void operator()(pcre2_real_code_8 *code) const;
  };
  std::unique_ptr<pcre2_real_code_8, FreeCode> code;
};

} // namespace kimi::text
