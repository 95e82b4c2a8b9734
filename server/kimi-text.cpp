// kimi-text: a model's tokenizer and chat layout on the command line. JSON lines in, JSON lines out.
#include "server/text/ChatFormat.h"
#include "server/text/Json.h"
#include "server/text/Tokenizer.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <iostream>
#include <string>

namespace json = boost::json;
using namespace kimi;
using namespace kimi::text;

namespace {

// Exit codes, as --help tells them.
constexpr int kBadInput = 1;
constexpr int kUsage = 2;

struct Options {
  std::string model;
  std::string chatFormat;
  bool specials = false;
};

/// What a verb does with one line's object.
using LineFunction = std::function<Expected<json::object>(const json::object &)>;

Specials specialsOf(const Options &options) {
  return options.specials ? Specials::Recognised : Specials::Ignored;
}

json::array toJson(std::span<const TokenId> ids) { return json::array(ids.begin(), ids.end()); }

Expected<json::object> encodeLine(const Tokenizer &tokenizer, Specials specials, const json::object &line) {
  const json::value *text = line.if_contains("text");
  if (!text || !text->is_string())
    return failure("expected {\"text\": \"…\"}");
  return json::object{{"ids", toJson(tokenizer.encode(text->get_string(), specials))}};
}

Expected<json::object> decodeLine(const Tokenizer &tokenizer, const json::object &line) {
  const json::value *list = line.if_contains("ids");
  if (!list || !list->is_array())
    return failure("expected {\"ids\": [1, 2, 3]}");
  std::vector<TokenId> ids;
  for (const json::value &id : list->get_array()) {
    if (!id.is_int64() || id.get_int64() != TokenId(id.get_int64()))
      return failure(fmt::format("ids[{}] is {}, expected an id from 0 to {}", ids.size(),
                                 dumpJson(id, JsonSpacing::Compact), tokenizer.vocabSize() - 1));
    ids.push_back(TokenId(id.get_int64()));
  }
  TRY_ASSIGN(const std::string text, tokenizer.decode(ids));
  return json::object{{"text", text}};
}

Expected<json::object> renderLine(const Tokenizer &tokenizer, const ChatFormat &format, Specials specials,
                                  const json::object &request) {
  TRY_ASSIGN(const Prompt prompt, format.render(request));
  const std::string text = prompt.text();
  // The text is the same either way. With --specials its ids are Hugging Face's, which take control tokens
  // from anywhere in it; without, only the layout's own markup becomes control tokens, as a server must have
  // it.
  const std::vector<TokenId> ids =
      specials == Specials::Recognised ? tokenizer.encode(text, specials) : tokenizer.encode(prompt.pieces);
  return json::object{{"text", text}, {"ids", toJson(ids)}};
}

/// One line in, one line out, so that lines of both sides stay in step.
Expected<json::object> runLine(const LineFunction &function, const std::string &line) {
  TRY_ASSIGN(const json::value value, parseJson(line));
  if (!value.is_object())
    return failure("expected a JSON object");
  return function(value.get_object());
}

/// A line that fails becomes {"error": …} on stdout and a message on stderr; the others are still done.
int runLines(const LineFunction &function) {
  int exitCode = 0;
  size_t lineNumber = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++lineNumber;
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    Expected<json::object> result = runLine(function, line);
    if (!result) {
      const std::string message = fmt::format("line {}: {}", lineNumber, result.error().message);
      fmt::print(stderr, "kimi-text: {}\n", message);
      result = json::object{{"error", message}};
      exitCode = kBadInput;
    }
    fmt::print("{}\n", dumpJson(*result, JsonSpacing::Compact));
  }
  return exitCode;
}

int fail(const Error &error) {
  fmt::print(stderr, "kimi-text: {}\n", error.message);
  return kBadInput;
}

Expected<ChatFormat> chatFormatOf(const Options &options) {
  return options.chatFormat.empty() ? ChatFormat::detect(options.model)
                                    : ChatFormat::named(options.chatFormat);
}

int encode(const Options &options) {
  const auto tokenizer = Tokenizer::load(options.model);
  if (!tokenizer)
    return fail(tokenizer.error());
  return runLines(
      [&](const json::object &line) { return encodeLine(*tokenizer, specialsOf(options), line); });
}

int decode(const Options &options) {
  const auto tokenizer = Tokenizer::load(options.model);
  if (!tokenizer)
    return fail(tokenizer.error());
  return runLines([&](const json::object &line) { return decodeLine(*tokenizer, line); });
}

int render(const Options &options) {
  const auto format = chatFormatOf(options);
  if (!format)
    return fail(format.error());
  const auto tokenizer = Tokenizer::load(options.model);
  if (!tokenizer)
    return fail(tokenizer.error());
  return runLines(
      [&](const json::object &line) { return renderLine(*tokenizer, *format, specialsOf(options), line); });
}

struct CommandLine {
  Options options;
  CLI::App app{"Encodes, decodes and renders text with a model's own tokenizer and chat layout.\n"
               "Reads one JSON object per line from stdin and writes one per line to stdout."};
  CLI::App *encodeVerb = app.add_subcommand("encode", "{\"text\": …} to {\"ids\": […]}");
  CLI::App *decodeVerb = app.add_subcommand("decode", "{\"ids\": […]} to {\"text\": …}");
  CLI::App *renderVerb =
      app.add_subcommand("render", "an OpenAI-style chat request to {\"text\": …, \"ids\": […]}");

  CommandLine() {
    app.name("kimi-text");
    app.set_version_flag("--version", std::string("kimi-text ") + KIMI_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Exit codes: 0 all lines done, 1 a file or a line was bad (the line says {\"error\": …}), 2 usage.");
    for (CLI::App *verb : {encodeVerb, decodeVerb, renderVerb})
      verb->add_option(
              "--model", options.model,
              "folder of a checkpoint or an artifact NAME.kimi: tiktoken.model, tokenizer_config.json and "
              "config.json are read")
          ->required();
    for (CLI::App *verb : {encodeVerb, renderVerb})
      verb->add_flag("--specials", options.specials,
                     "text that spells a special token becomes it, as Hugging Face's encode does");
    renderVerb->add_option("--chat-format", options.chatFormat,
                           fmt::format("instead of what the model's files say; one of: {}",
                                       fmt::join(ChatFormat::names(), ", ")));
  }

  int run() {
    if (encodeVerb->parsed())
      return encode(options);
    return decodeVerb->parsed() ? decode(options) : render(options);
  }
};

} // namespace

int main(int argc, char **argv) {
  CommandLine commandLine;
  try {
    commandLine.app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return commandLine.app.exit(error) == 0 ? 0 : kUsage;
  }
  std::ios::sync_with_stdio(false);
  return commandLine.run();
}
