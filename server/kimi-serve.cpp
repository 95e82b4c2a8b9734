// kimi-serve: serves one artifact to OpenAI clients. Only flags and order of start and end live here.
#include "server/RandomWeights.h"
#include "server/http/Server.h"

#include "runtime/kimi.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <future>

using namespace kimi;

namespace {

struct Options {
  std::filesystem::path artifact;
  std::vector<std::string> names;
  std::string chatFormat;
  std::string logLevel = "info";
  double shutdownSeconds = 30;
  bool skipVerification = false, noGraph = false;
  EngineOptions engine;
  schedule::LoopOptions loop;
  http::ServerOptions server;
};

void declareServing(CLI::App &app, Options &options) {
  app.add_option("--host", options.server.host, "Address to listen on")->capture_default_str();
  app.add_option("--port", options.server.port, "Port to listen on; 0 = any free one")->capture_default_str();
  app.add_option("--api-key", options.server.apiKey, "Key that clients must send; also KIMI_API_KEY")
      ->envname("KIMI_API_KEY");
  app.add_option("--served-model-name", options.names,
                 "Names clients may use; the first is the one replies carry")
      ->allow_extra_args(false) // repeatable, but it must not swallow the artifact
      ->default_str("the artifact's name");
  app.add_option("--chat-format", options.chatFormat, "Chat format, when the artifact's files do not say");
  app.add_option("--shutdown-timeout", options.shutdownSeconds,
                 "Seconds that replies may take to end after SIGTERM")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--log-level", options.logLevel, "What to log to stderr")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->capture_default_str();
}

void declareLimits(CLI::App &app, Options &options) {
  app.add_option("--max-model-len", options.loop.scheduler.maxModelLen,
                 "Tokens of a prompt and its reply together; 0 = what model and cache allow")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-num-seqs", options.loop.scheduler.maxSequences,
                 "Requests that decode in one batch; 0 = what the artifact allows")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-num-batched-tokens", options.loop.scheduler.maxBatchedTokens,
                 "Tokens in one step; 0 = what the artifact allows")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-waiting", options.loop.maxWaiting, "Requests that may wait; more get 503")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--kv-cache-memory", options.engine.cacheBytes,
                 "Memory for the cache, e.g. 2GiB; 0 = the runtime's choice")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--threads", options.engine.numThreads,
                 "Threads of the engine; 0 = as many as the process may use")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--skip-verification", options.skipVerification, "Do not hash the weight files while loading");
  app.add_flag("--no-graph", options.noGraph,
               "CUDA: launch every kernel by itself and wait for it, so that an error names the kernel");
}

/// NAME of NAME.kimi.
std::string artifactName(const std::filesystem::path &artifact) {
  std::filesystem::path clean = artifact.lexically_normal();
  if (!clean.has_filename())
    clean = clean.parent_path();
  return clean.stem().string();
}

Status serve(Options &options) {
  auto start = std::chrono::steady_clock::now();
  // Ranks and merges are read while the weights are; of two errors the artifact's own says more.
  auto loadText = [&options] {
    return text::ModelText::load(options.artifact, options.chatFormat.empty()
                                                       ? std::nullopt
                                                       : std::optional<std::string_view>(options.chatFormat));
  };
  std::future<Expected<text::ModelText>> loadingText = std::async(std::launch::async, loadText);
  options.engine.verifyWeights = !options.skipVerification;
  options.engine.useGraphs = !options.noGraph;
  TRY_ASSIGN(std::unique_ptr<Engine> engine, Engine::load(options.artifact, options.engine));
  if (std::string warning = warnOfRandomWeights(options.artifact.string(), engine->model()); !warning.empty())
    spdlog::warn("{}", warning);
  TRY_ASSIGN(text::ModelText text, loadingText.get());
  if (text.tokenizer.vocabSize() > static_cast<int32_t>(engine->model().vocabulary))
    return failure(fmt::format("the tokenizer has {} ids, the model {}: these files do not belong together",
                               text.tokenizer.vocabSize(), engine->model().vocabulary));

  options.loop.onProblem = [](std::string_view problem) { spdlog::error("{}", problem); };
  schedule::EngineLoop loop(*engine, options.loop);
  if (options.names.empty())
    options.names = {artifactName(options.artifact)};
  auto now = std::chrono::system_clock::now().time_since_epoch();
  api::ServedModel model{.text = text,
                         .names = options.names,
                         .fingerprint = engine->model().fingerprint,
                         .created = std::chrono::duration_cast<std::chrono::seconds>(now).count(),
                         .limits = loop.requestLimits()};
  options.server.handlesSignals = true;
  options.server.shutdownTimeout =
      std::chrono::milliseconds(static_cast<int64_t>(options.shutdownSeconds * 1000));
  http::Server server(options.server, model, loop);
  TRY(server.listen());

  std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  schedule::Load load = loop.load();
  spdlog::info(
      "{} ({}, {}) ready in {:.2f} s: chat format {}, context {} tokens, cache {} blocks of {} tokens",
      model.names.front(), engine->model().numerics, engine->model().target, elapsed.count(),
      text.chatFormat.name(), model.limits.maxModelLen, load.numBlocks, kBlockTokens);
  fmt::print("listening on {}\n", server.url());
  std::fflush(stdout);
  server.run();
  loop.stop();
  spdlog::info("all replies have ended");
  return {};
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Serves a compiled Kimi model to OpenAI clients.", "kimi-serve");
  app.footer("Endpoints: /v1/chat/completions, /v1/chat/completions/render, /v1/completions, /v1/models, "
             "/tokenize,\n"
             "/detokenize, /health, /version. SIGTERM lets replies in the making end.\n"
             "Exit codes: 0 after an orderly end, 1 when it cannot serve, 2 for wrong flags.");
  app.set_version_flag("--version", "kimi-serve " KIMI_VERSION);
  app.add_option("artifact", options.artifact, "The compiled model, NAME.kimi")->required();
  declareServing(app, options);
  declareLimits(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  // stdout is for the one line that says where the server is.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("kimi-serve"));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
  spdlog::set_level(spdlog::level::from_str(options.logLevel));
  if (Status status = serve(options); !status) {
    fmt::print(stderr, "kimi-serve: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
