// What the host does between two decode steps, part by part: step tables of K2's size, the CUDA engine on the fake driver,
// kernels that do next to nothing. Once with everything in the processor's caches, and once after other work had them
// while the host waited, as in a step of many milliseconds. Not a test: prints numbers for a person.
//
//   runtime_step_times [POSITIONS OF THE MODEL]
#include "runtime/base/TextTable.h"
#include "runtime/base/Units.h"
#include "runtime/engine/HostTimes.h"
#include "runtime/engine/Workload.h"
#include "tests/runtime/ToyArtifact.h"
#include "tests/runtime/fake_cuda/FakeCuda.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>

using namespace kimi;
using namespace kimi::runtime;
using namespace kimi::test;
using namespace kimi::artifact;

static constexpr int64_t kBatches[] = {1, 16, 64, 128};
static constexpr int64_t kContext = 4096, kSteps = 200;

/// The toy with K2's step table.
static void makeLarge(PlanT &plan, uint32_t positions) {
  RankT &rank = *plan.ranks[0];
  plan.model->context_length = positions;
  rank.blocks[0]->steps.pop_back(); // the cache's reader: as slow as the context is long
  rank.entries.resize(std::size(kBatches)); // two for decode, two mixed ones
  for (size_t i = 0; i < rank.entries.size(); ++i) {
    EntryT &entry = *rank.entries[i];
    bool isDecode = i < 2;
    int64_t sequences = i == 0 ? 1 : kBatches[std::size(kBatches) - 1];
    CapacityT &capacity = *entry.capacity;
    capacity.max_sequences = capacity.max_logit_rows = sequences;
    capacity.max_tokens = isDecode ? sequences : i == 2 ? 256 : 8192;
    capacity.max_table_blocks = (positions + kBlockTokens - 1) / kBlockTokens;
    capacity.max_bias_entries = sequences * 300;
    capacity.max_penalty_entries = sequences * 4096;
    entry.arena_bytes = uint64_t(capacity.max_tokens) * kToyHidden * sizeof(float);
  }
}

static FakeCuda &openFake() {
  setenv("KIMI_CUDA_DRIVER", KIMI_FAKE_CUDA, 1);
  void *library = dlopen(KIMI_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
  return *reinterpret_cast<FakeCuda *(*)()>(dlsym(library, "kimiFakeCuda"))();
}

/// A row of the table: medians in µs, then how often the driver was asked for what in each step.
static Status measure(Engine &engine, FakeCuda &fake, int64_t batch, TextTable &table) {
  TRY_ASSIGN(Workload workload,
             Workload::create(engine, {.batch = batch, .context = kContext, .tokens = kSteps, .cached = kContext - 1}));
  TRY(workload.prefill({}));
  HostTimes times;
  FakeCuda before = fake;
  times.begin();
  for (int64_t step = 0; step < kSteps; ++step) {
    TRY(workload.decode());
    times.endStep(engine.lastStepTimes());
  }
  std::vector<std::string> row{std::to_string(batch), fake.forgetsCaches ? "cold" : "warm"};
  for (int which = 0; which <= HostTimes::kHost; ++which)
    row.push_back(fmt::format("{:.2f}", times.part(HostTimes::Which(which)).median * 1e6));
  auto perStep = [&](int64_t FakeCuda::*counter) { return double(fake.*counter - before.*counter) / kSteps; };
  row.push_back(formatBytes(perStep(&FakeCuda::bytesToDevice)));
  row.push_back(formatBytes(perStep(&FakeCuda::bytesToHost)));
  for (auto counter :
       {&FakeCuda::copiesToDevice, &FakeCuda::graphStarts, &FakeCuda::launches, &FakeCuda::copiesToHost, &FakeCuda::waits})
    row.push_back(fmt::format("{:g}", perStep(counter)));
  table.addRow(std::move(row));
  return {};
}

static Status measureAll(uint32_t positions) {
  ScratchDirectory scratch;
  FakeCuda &fake = openFake();
  auto artifact = writeToyCudaArtifact(scratch.path(), [&](PlanT &plan) { makeLarge(plan, positions); });
  TRY_ASSIGN(auto engine, Engine::load(artifact, {.numThreads = 1, .cacheBytes = uint64_t(64) << 20}));
  TextTable table({">batch", "caches", ">check", ">upload", ">start", ">download", ">caller", ">host, µs", ">in", ">out",
                   ">copies in", ">graphs", ">launches", ">copies out", ">waits"});
  for (bool isCold : {false, true})
    for (int64_t batch : kBatches) {
      fake.forgetsCaches = isCold;
      TRY(measure(*engine, fake, batch, table));
    }
  fmt::print("decode steps at {} tokens, a model of {} positions\n{}", kContext, positions, table.text());
  return {};
}

int main(int argc, char **argv) {
  Status status = measureAll(argc > 1 ? uint32_t(std::atoi(argv[1])) : 8192);
  if (!status)
    fmt::print(stderr, "{}\n", status.error().message);
  return status ? EXIT_SUCCESS : EXIT_FAILURE;
}
