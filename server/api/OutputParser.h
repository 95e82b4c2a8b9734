// Decides by token id what a drawn token is: reasoning, content, or a marker that no client sees as text.
// Markers have ordinary spellings, so text could never tell.
#pragma once

#include "server/text/ModelText.h"
#include "server/text/StreamDecoder.h"

#include <string>
#include <vector>

namespace kimi::api {

struct Fragment {
  enum class Kind { Content, Reasoning };
  Kind kind = Kind::Content;
  std::string text;
};

class OutputParser {
public:
  /// For chat replies.
  static OutputParser chat(const text::ModelText &model, bool startsInReasoning);
  /// For plain completions: every token is content, markers spelt out (clients of raw prompts parse them
  /// themselves).
  static OutputParser plain(const text::ModelText &model);

  /// The text that this token completes; often one fragment, never one without text.
  std::vector<Fragment> push(int32_t token);
  std::vector<Fragment> finish();

private:
  OutputParser(const text::ModelText &model, bool readsMarkers, Fragment::Kind kind)
      : markers(model.markers), hasReasoning(readsMarkers && model.chatFormat.hasReasoning()),
        readsMarkers(readsMarkers), kind(kind), decoder(model.tokenizer, /*skipSpecials=*/true) {}

  bool isToolMarker(int32_t token) const;
  std::vector<Fragment> switchTo(Fragment::Kind next);

  text::Markers markers;
  bool hasReasoning;
  bool readsMarkers;
  Fragment::Kind kind;
  text::StreamDecoder decoder;
};

} // namespace kimi::api
