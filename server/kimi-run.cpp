// kimi-run: runs an artifact without a server. A chat turn or a prompt streams to the terminal; a file of
// token ids runs as one batch and gives back ids or logits, which is how tests compare an artifact with its
// reference.
#include "runtime/kimi.h"
#include "server/RandomWeights.h"
#include "server/schedule/Scheduler.h"
#include "server/text/Json.h"
#include "server/text/ModelText.h"
#include "server/text/StreamDecoder.h"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace json = boost::json;
using namespace kimi;

namespace {

constexpr int64_t kDefaultReplyTokens = 512;
constexpr int64_t kDefaultIdsTokens = 16;

struct Options {
  std::filesystem::path artifact, idsFile, logitsFile;
  std::string chat, system, prompt, chatFormat;
  int64_t maxTokens = -1; // -1 = the default of the mode
  schedule::SamplingParams sampling{.temperature = 0, .logitBias = {}, .seed = {}};
  schedule::SchedulerOptions scheduler;
  EngineOptions engine;
  bool skipVerification = false, noGraph = false;
};

/// float32 [rows, columns] in NumPy's format 1.0, written row by row.
class NpyFile {
public:
  static Expected<NpyFile> create(const std::filesystem::path &path, int64_t rows, int64_t columns) {
    NpyFile file{path, columns};
    std::string header =
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
    header.resize((10 + header.size()) / 64 * 64 + 64 - 11,
                  ' '); // magic, version, length and '\n' fill a 64-byte line
    header += '\n';
    auto size = static_cast<uint16_t>(header.size());
    std::string start = std::string("\x93NUMPY\x01\x00", 8) + char(size & 0xff) + char(size >> 8);
    file.stream << start << header;
    file.dataOffset = static_cast<int64_t>(start.size() + header.size());
    if (!file.stream)
      return failure(fmt::format("{}: cannot be written", path.string()));
    return file;
  }
  void writeRow(int64_t row, std::span<const float> values) {
    stream.seekp(dataOffset + row * columns * static_cast<int64_t>(sizeof(float)));
    stream.write(reinterpret_cast<const char *>(values.data()),
                 static_cast<std::streamsize>(values.size_bytes()));
  }
  Status close() {
    stream.close();
    return stream ? Status() : failure("the logits could not be written: is the disk full?");
  }

private:
  NpyFile(const std::filesystem::path &path, int64_t columns)
      : stream(path, std::ios::binary), columns(columns) {}
  std::ofstream stream;
  int64_t columns, dataOffset = 0;
};

/// One entry of an ids file.
struct IdsSequence {
  std::vector<int32_t> ids, forced;
  std::vector<int64_t> positions;
};

struct IdsFile {
  std::vector<IdsSequence> sequences;
  int64_t chunk = 0;
};

template <typename T> Expected<std::vector<T>> readIntegers(const json::value &value, std::string_view what) {
  if (!value.is_array())
    return failure(fmt::format("{} must be a list of integers", what));
  std::vector<T> integers;
  for (const json::value &item : value.get_array()) {
    if (!item.is_int64() || item.get_int64() < 0 || item.get_int64() > INT32_MAX)
      return failure(fmt::format("{}[{}] is {}; it must be an integer from 0", what, integers.size(),
                                 json::serialize(item)));
    integers.push_back(static_cast<T>(item.get_int64()));
  }
  return integers;
}

/// The list under `key` of the file for sequence `index`, or nullptr when the file has no such key.
Expected<const json::value *> perSequence(const json::object &file, const char *key, size_t index,
                                          size_t count) {
  const json::value *lists = file.if_contains(key);
  if (!lists)
    return nullptr;
  if (!lists->is_array() || lists->get_array().size() != count)
    return failure(
        fmt::format("\"{}\" must be a list with one list for each of the {} sequences", key, count));
  return &lists->get_array()[index];
}

Expected<IdsSequence> readSequence(const json::object &file, const json::value &entry, size_t index,
                                   size_t count) {
  IdsSequence sequence;
  const json::value *ids = entry.is_object() ? entry.get_object().if_contains("ids") : nullptr;
  if (!ids)
    return failure(fmt::format("sequences[{}] must be an object with \"ids\"", index));
  TRY_ASSIGN(sequence.ids, readIntegers<int32_t>(*ids, fmt::format("sequences[{}].ids", index)));
  TRY_ASSIGN(const json::value *forced, perSequence(file, "forced", index, count));
  if (forced) {
    TRY_ASSIGN(sequence.forced, readIntegers<int32_t>(*forced, fmt::format("forced[{}]", index)));
  }
  TRY_ASSIGN(const json::value *positions, perSequence(file, "positions", index, count));
  if (positions) {
    TRY_ASSIGN(sequence.positions, readIntegers<int64_t>(*positions, fmt::format("positions[{}]", index)));
    std::ranges::sort(sequence.positions);
    if (std::ranges::adjacent_find(sequence.positions) != sequence.positions.end())
      return failure(fmt::format("positions[{}] names a position twice", index));
  } else {
    sequence.positions = {static_cast<int64_t>(sequence.ids.size() + sequence.forced.size()) - 1};
  }
  return sequence;
}

Expected<IdsFile> readIdsFile(const std::filesystem::path &path) {
  TRY_ASSIGN(json::object file, text::readJsonObject(path));
  IdsFile result;
  if (const json::value *chunk = file.if_contains("chunk"); chunk && !chunk->is_null()) {
    if (!chunk->is_int64() || chunk->get_int64() < 1)
      return failure(
          fmt::format("\"chunk\" is {}; it must be a number of tokens from 1", json::serialize(*chunk)));
    result.chunk = chunk->get_int64();
  }
  const json::value *sequences = file.if_contains("sequences");
  if (!sequences || !sequences->is_array() || sequences->get_array().empty())
    return failure("\"sequences\" must be a list of objects with \"ids\"");
  const json::array &entries = sequences->get_array();
  for (size_t index = 0; index < entries.size(); ++index) {
    TRY_ASSIGN(IdsSequence sequence, readSequence(file, entries[index], index, entries.size()));
    result.sequences.push_back(std::move(sequence));
  }
  return result;
}

/// Steps until every request has ended; the first failure of a request or of the engine is the error.
Status runAll(schedule::Scheduler &scheduler, const std::vector<std::optional<schedule::Finish>> &finishes) {
  while (scheduler.hasWork())
    TRY(scheduler.step());
  for (size_t index = 0; index < finishes.size(); ++index)
    if (finishes[index] && finishes[index]->reason == schedule::FinishReason::Failed)
      return failure(fmt::format("sequence {}: {}", index, finishes[index]->message));
  return scheduler.checkBooks();
}

/// The wanted positions must be ones that get computed: prompt and forced ids, and generated ids but the
/// last.
Status checkPositions(const schedule::Request &request, size_t index) {
  int64_t numComputed =
      static_cast<int64_t>(request.prompt.size()) + std::max<int64_t>(0, request.maxTokens - 1);
  if (!request.logitPositions.empty() && request.logitPositions.back() >= numComputed)
    return failure(fmt::format("positions[{}] asks for position {}; the run computes positions 0 to {}",
                               index, request.logitPositions.back(), numComputed - 1));
  return {};
}

void printIds(const std::vector<std::vector<int32_t>> &generated,
              const std::vector<std::optional<schedule::Finish>> &finishes) {
  json::array sequences;
  for (size_t index = 0; index < generated.size(); ++index)
    sequences.push_back(json::object{{"ids", json::array(generated[index].begin(), generated[index].end())},
                                     {"finish_reason", schedule::name(finishes[index]->reason)}});
  fmt::print("{}\n", json::serialize(json::object{{"sequences", std::move(sequences)}}));
}

Status runIds(Engine &engine, const Options &options) {
  auto read = readIdsFile(options.idsFile);
  if (!read)
    return failure(options.idsFile.string(), read.error());
  IdsFile &file = *read;
  schedule::SchedulerOptions schedulerOptions = options.scheduler;
  if (file.chunk > 0)
    schedulerOptions.maxPrefillChunk = file.chunk;
  schedule::Scheduler scheduler(engine, schedulerOptions);

  bool wantsLogits = !options.logitsFile.empty();
  std::optional<NpyFile> npy;
  if (wantsLogits) {
    int64_t numRows = 0;
    for (const IdsSequence &sequence : file.sequences)
      numRows += static_cast<int64_t>(sequence.positions.size());
    TRY_ASSIGN(npy, NpyFile::create(options.logitsFile, numRows, engine.model().vocabulary));
  }
  std::vector<std::vector<int32_t>> generated(file.sequences.size());
  std::vector<std::optional<schedule::Finish>> finishes(file.sequences.size());
  int64_t firstRow = 0;
  for (size_t index = 0; index < file.sequences.size(); ++index) {
    IdsSequence &sequence = file.sequences[index];
    auto numForced = static_cast<int64_t>(sequence.forced.size());
    schedule::Request request;
    request.id = index;
    request.prompt = std::move(sequence.ids);
    request.sampling = options.sampling;
    request.forced = std::move(sequence.forced);
    request.maxTokens = options.maxTokens >= 0         ? options.maxTokens
                        : wantsLogits || numForced > 0 ? numForced + 1
                                                       : kDefaultIdsTokens;
    request.onEvent = [&, index](const schedule::Event &event) {
      if (event.token >= 0)
        generated[index].push_back(event.token);
      finishes[index] = event.finish;
    };
    if (wantsLogits) {
      request.logitPositions = sequence.positions;
      request.onLogits = [&, index, firstRow](int64_t position, std::span<const float> logits) {
        auto at = std::ranges::lower_bound(file.sequences[index].positions, position);
        npy->writeRow(firstRow + (at - file.sequences[index].positions.begin()), logits);
      };
      firstRow += static_cast<int64_t>(sequence.positions.size());
    }
    TRY(checkPositions(request, index));
    if (Status status = checkRequest(request, scheduler.requestLimits()); !status)
      return failure(fmt::format("sequence {}", index), status.error());
    scheduler.add(std::move(request));
  }
  TRY(runAll(scheduler, finishes));
  if (npy)
    return npy->close();
  printIds(generated, finishes);
  return {};
}

Expected<std::vector<int32_t>> encodePrompt(const text::ModelText &model, const Options &options) {
  if (options.chat.empty())
    return model.tokenizer.encode(options.prompt, text::Specials::Ignored);
  json::array messages;
  if (!options.system.empty())
    messages.push_back(json::object{{"role", "system"}, {"content", options.system}});
  messages.push_back(json::object{{"role", "user"}, {"content", options.chat}});
  TRY_ASSIGN(text::Prompt prompt, model.chatFormat.render({{"messages", std::move(messages)}}));
  return model.tokenizer.encode(prompt.pieces);
}

Status runText(Engine &engine, const Options &options) {
  auto format =
      options.chatFormat.empty() ? std::nullopt : std::optional<std::string_view>(options.chatFormat);
  TRY_ASSIGN(text::ModelText model, text::ModelText::load(options.artifact, format));
  schedule::Scheduler scheduler(engine, options.scheduler);
  schedule::Request request;
  TRY_ASSIGN(request.prompt, encodePrompt(model, options));
  request.sampling = options.sampling;
  request.stopIds = model.stopIds;
  request.maxTokens = options.maxTokens >= 0 ? options.maxTokens : kDefaultReplyTokens;
  text::StreamDecoder decoder(model.tokenizer, /*skipSpecials=*/true);
  std::vector<std::optional<schedule::Finish>> finishes(1);
  request.onEvent = [&](const schedule::Event &event) {
    if (event.token >= 0 && !model.isStop(event.token))
      fmt::print("{}", decoder.push(event.token));
    if (event.finish)
      fmt::print("{}\n", decoder.finish());
    std::fflush(stdout);
    finishes[0] = event.finish;
  };
  TRY(checkRequest(request, scheduler.requestLimits()));
  scheduler.add(std::move(request));
  TRY(runAll(scheduler, finishes));
  const schedule::Account &account = finishes[0]->account;
  double seconds = account.decodeMs / 1000;
  fmt::print(stderr, "{} prompt tokens in {:.0f} ms, {} tokens{}\n", account.numPromptTokens,
             account.prefillMs, account.numOutputTokens,
             seconds > 0 ? fmt::format(", {:.1f} tokens/s", double(account.numOutputTokens - 1) / seconds)
                         : "");
  return {};
}

void declareOptions(CLI::App &app, Options &options) {
  app.set_version_flag("--version", "kimi-run " KIMI_VERSION);
  app.add_option("artifact", options.artifact, "The compiled model, NAME.kimi")->required();
  auto *input = app.add_option_group("input", "What to run (exactly one)");
  auto *chat = input->add_option("--chat", options.chat, "One user message in the model's chat format");
  input->add_option("--prompt", options.prompt, "Plain text to go on with");
  auto *ids = input->add_option("--ids", options.idsFile,
                                "JSON file of token ids: {\"sequences\": [{\"ids\": [...]}]}");
  input->require_option(1);
  app.add_option("--system", options.system, "System message before --chat")->needs(chat);
  app.add_option("--chat-format", options.chatFormat, "Chat format, when the artifact's files do not say");
  app.add_option("--logits", options.logitsFile,
                 "With --ids: write the logits here, float32 [positions, vocabulary]")
      ->needs(ids);
  app.add_option("--max-tokens", options.maxTokens, "Tokens to generate at most")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--temperature", options.sampling.temperature, "0 = greedy")->check(CLI::Range(0.0, 100.0));
  app.add_option("--top-p", options.sampling.topP, "1 = off")->check(CLI::Range(0.0, 1.0));
  app.add_option("--min-p", options.sampling.minP, "0 = off")->check(CLI::Range(0.0, 1.0));
  app.add_option("--top-k", options.sampling.topK, "0 = off")->check(CLI::NonNegativeNumber);
  app.add_option("--seed", options.sampling.seed, "Same seed, same draws");
  app.add_option("--threads", options.engine.numThreads, "0 = as many as the process may use")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--kv-cache-memory", options.engine.cacheBytes,
                 "Bytes for the cache, e.g. 2GiB; 0 = the runtime's choice")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--max-num-seqs", options.scheduler.maxSequences,
                 "Sequences in one step; 0 = what the artifact allows");
  app.add_option("--max-num-batched-tokens", options.scheduler.maxBatchedTokens,
                 "Tokens in one step; 0 = likewise");
  app.add_option("--max-prefill-chunk", options.scheduler.maxPrefillChunk,
                 "Tokens of one prompt in one step; 0 = likewise");
  app.add_flag("--poison", options.engine.poison, "For tests: fill scratch memory and outputs with NaN before each step");
  app.add_flag("--skip-verification", options.skipVerification, "Do not hash the weight files while loading");
  app.add_flag("--no-graph", options.noGraph,
               "CUDA: launch every kernel by itself and wait for it, so that an error names the kernel");
}

Status runProgram(const Options &options) {
  EngineOptions engineOptions = options.engine;
  engineOptions.verifyWeights = !options.skipVerification;
  engineOptions.useGraphs = !options.noGraph;
  engineOptions.readLogits = !options.logitsFile.empty();
  TRY_ASSIGN(std::unique_ptr<Engine> engine, Engine::load(options.artifact, engineOptions));
  if (std::string warning = warnOfRandomWeights(options.artifact.string(), engine->model()); !warning.empty())
    fmt::print(stderr, "kimi-run: warning: {}\n", warning);
  return options.idsFile.empty() ? runText(*engine, options) : runIds(*engine, options);
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Runs a compiled Kimi model on this machine, without a server.", "kimi-run");
  declareOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (Status status = runProgram(options); !status) {
    fmt::print(stderr, "kimi-run: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
