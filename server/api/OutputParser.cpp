#include "server/api/OutputParser.h"

namespace kimi::api {

OutputParser OutputParser::chat(const text::ModelText &model, bool startsInReasoning) {
  return {model, true, startsInReasoning ? Fragment::Kind::Reasoning : Fragment::Kind::Content};
}

OutputParser OutputParser::plain(const text::ModelText &model) {
  return {model, false, Fragment::Kind::Content};
}

bool OutputParser::isToolMarker(int32_t token) const {
  return token == markers.toolCallsSectionBegin || token == markers.toolCallsSectionEnd ||
         token == markers.toolCallBegin || token == markers.toolCallArgumentBegin ||
         token == markers.toolCallEnd;
}

// Characters do not reach across a border between reasoning and content.
std::vector<Fragment> OutputParser::switchTo(Fragment::Kind next) {
  std::vector<Fragment> fragments = finish();
  kind = next;
  return fragments;
}

std::vector<Fragment> OutputParser::push(int32_t token) {
  if (hasReasoning && token == markers.thinkBegin)
    return switchTo(Fragment::Kind::Reasoning);
  if (hasReasoning && token == markers.thinkEnd)
    return switchTo(Fragment::Kind::Content);
  // A tool call may begin inside reasoning and ends it. Reading the call itself belongs here too; until then
  // its markers vanish and its body is content.
  if (readsMarkers && isToolMarker(token))
    return switchTo(Fragment::Kind::Content);
  std::string text = decoder.push(token);
  if (text.empty())
    return {};
  return {{kind, std::move(text)}};
}

std::vector<Fragment> OutputParser::finish() {
  std::string text = decoder.finish();
  if (text.empty())
    return {};
  return {{kind, std::move(text)}};
}

} // namespace kimi::api
