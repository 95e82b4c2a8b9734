// Parts: tiktoken.model, tokenizer_config.json, config.json, generation_config.json, chat_template.jinja, a text.
// A tiktoken.model that begins with a line "bytes" gets one line for each of the 256 bytes in its place: without them no
// file is a tokenizer, and a mutation would seldom leave them whole.
#include "server/text/ModelText.h"
#include "server/text/Utf8.h"
#include "tests/fuzz/Input.h"

using namespace kimi;
using namespace kimi::text;

// The file, or what no file says.
static const std::initializer_list<std::string_view> kPlaces = {
    "tiktoken.model: ", "config.json: ", "chat_template.jinja: ", "chat format", "eos_token_id"};

static std::string byteLines() {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string lines;
  for (int byte = 0; byte < 256; ++byte)
    lines += {kDigits[byte >> 2], kDigits[(byte & 3) << 4], '=', '='}, lines += ' ' + std::to_string(byte) + '\n';
  return lines;
}

static std::string ranksFile(std::string_view part) {
  static constexpr std::string_view kBytes = "bytes\n";
  static const std::string lines = byteLines();
  return part.starts_with(kBytes) ? lines + std::string(part.substr(kBytes.size())) : std::string(part);
}

/// Whatever the files say, a tokenizer that was accepted gives back the text it was given.
static void encodeAndDecode(const Tokenizer &tokenizer, std::string_view text, Specials specials) {
  const std::vector<TokenId> ids = tokenizer.encode(text, specials);
  for (TokenId id : ids) {
    fuzz::require(id >= 0 && id < tokenizer.vocabSize(), "ids lie in the vocabulary");
    if (specials == Specials::Ignored)
      fuzz::require(!tokenizer.special(id), "text does not become a special token");
  }
  const Expected<std::string> decoded = tokenizer.decode(ids);
  fuzz::require(decoded.has_value(), "what was encoded can be decoded");
  const std::vector<TokenId> again = tokenizer.encode(*decoded, Specials::Ignored);
  const Expected<std::string> decodedAgain = tokenizer.decode(again);
  fuzz::require(decodedAgain && *decodedAgain == *decoded, "decoding undoes encoding");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const fuzz::ScratchFolder folder;
  const auto parts = fuzz::splitParts(fuzz::asText(data, size), 6);
  folder.writeOrRemove("tiktoken.model", ranksFile(parts[0]));
  folder.writeOrRemove("tokenizer_config.json", parts[1]);
  folder.writeOrRemove("config.json", parts[2]);
  folder.writeOrRemove("generation_config.json", parts[3]);
  folder.writeOrRemove("chat_template.jinja", parts[4]);
  const Expected<ModelText> model = ModelText::load(folder.path());
  if (!model)
    return fuzz::requireMessage(model.error().message, kPlaces), 0;
  for (TokenId id : model->stopIds)
    fuzz::require(id >= 0 && id < model->tokenizer.vocabSize(), "stop ids lie in the vocabulary");
  encodeAndDecode(model->tokenizer, parts[5], Specials::Ignored);
  encodeAndDecode(model->tokenizer, parts[5], Specials::Recognised);
  return 0;
}
