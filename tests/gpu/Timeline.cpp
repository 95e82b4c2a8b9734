// A library that CUDA's driver loads into any program (CUDA_INJECTION64_PATH): records when every kernel
// began and ended on the GPU, and writes it as JSON when the program ends.
//
//   KIMI_TIMELINE=OUT.json   where it goes: [{"name": .., "start": ns, "end": ns, "graph": .., "blocks": ..},
//   ..]
//                            graph is 0 for what no CUDA graph launched
//   KIMI_CUPTI=FILE          libcupti.so.13, where the loader does not find it by itself
//
// CUPTI comes by dlopen, as all of CUDA does in this project: this file needs its header only. Where it is
// missing the program runs as ever, and a line on stderr says so.
#include <cupti.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

namespace {

constexpr size_t kBufferBytes = 4 << 20;
constexpr size_t kBufferAlignment = 8; // what CUPTI asks for

struct Kernel {
  std::string name;
  uint64_t start, end; // ns
  uint32_t graph;
  int64_t blocks;
};

/// The functions of CUPTI that are used; one that is missing leaves the recorder off.
struct Cupti {
  decltype(&cuptiActivityRegisterCallbacks) registerCallbacks = nullptr;
  decltype(&cuptiActivityEnable) enable = nullptr;
  decltype(&cuptiActivityFlushAll) flushAll = nullptr;
  decltype(&cuptiActivityGetNextRecord) nextRecord = nullptr;
  decltype(&cuptiGetResultString) resultString = nullptr;

  bool load() {
    void *library = nullptr;
    for (const char *name :
         {static_cast<const char *>(std::getenv("KIMI_CUPTI")), "libcupti.so.13", "libcupti.so"})
      if (name && !library)
        library = dlopen(name, RTLD_NOW);
    return library && find(library, "cuptiActivityRegisterCallbacks", registerCallbacks) &&
           find(library, "cuptiActivityEnable", enable) && find(library, "cuptiActivityFlushAll", flushAll) &&
           find(library, "cuptiActivityGetNextRecord", nextRecord) &&
           find(library, "cuptiGetResultString", resultString);
  }

private:
  template <typename Function> static bool find(void *library, const char *name, Function &function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
  }
};

/// Never destroyed: CUPTI's own thread hands over buffers while the program ends.
struct Recorder {
  Cupti cupti;
  std::mutex mutex;
  std::vector<Kernel> kernels;
  size_t dropped = 0;
};

Recorder &recorder() {
  static auto *instance = new Recorder;
  return *instance;
}

void CUPTIAPI requestBuffer(uint8_t **buffer, size_t *bytes, size_t *maxRecords) {
  *buffer = static_cast<uint8_t *>(std::aligned_alloc(kBufferAlignment, kBufferBytes));
  *bytes = *buffer ? kBufferBytes : 0;
  *maxRecords = 0; // as many as fit
}

void CUPTIAPI takeBuffer(CUcontext, uint32_t, uint8_t *buffer, size_t, size_t validBytes) {
  Recorder &r = recorder();
  std::lock_guard lock(r.mutex);
  CUpti_Activity *record = nullptr;
  while (validBytes && r.cupti.nextRecord(buffer, validBytes, &record) == CUPTI_SUCCESS) {
    if (record->kind != CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)
      continue;
    auto *kernel = reinterpret_cast<CUpti_ActivityKernel10 *>(record);
    if (kernel->end <= kernel->start)
      ++r.dropped; // CUPTI could not time it
    else
      r.kernels.push_back({kernel->name, kernel->start, kernel->end, kernel->graphId,
                           int64_t(kernel->gridX) * kernel->gridY * kernel->gridZ});
  }
  std::free(buffer);
}

void writeTimeline() {
  Recorder &r = recorder();
  r.cupti.flushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  std::lock_guard lock(r.mutex);
  const char *path = std::getenv("KIMI_TIMELINE");
  std::FILE *file = path ? std::fopen(path, "w") : nullptr;
  if (!file) {
    std::fprintf(stderr, "kimi timeline: cannot write '%s': set KIMI_TIMELINE to a file\n", path ? path : "");
    return;
  }
  std::fputc('[', file);
  for (size_t i = 0; i < r.kernels.size(); ++i) {
    const Kernel &kernel = r.kernels[i];
    std::fprintf(file,
                 "%s\n{\"name\": \"%s\", \"start\": %llu, \"end\": %llu, \"graph\": %u, \"blocks\": %lld}",
                 i ? "," : "", kernel.name.c_str(), (unsigned long long)kernel.start,
                 (unsigned long long)kernel.end, kernel.graph, (long long)kernel.blocks);
  }
  std::fputs("\n]\n", file);
  std::fclose(file);
  if (r.dropped)
    std::fprintf(stderr, "kimi timeline: %zu kernels could not be timed and are left out\n", r.dropped);
}

} // namespace

/// What the driver calls; 1 = went well.
extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
  Recorder &r = recorder();
  if (!r.cupti.load()) {
    std::fprintf(stderr, "kimi timeline: no usable CUPTI: set KIMI_CUPTI to libcupti.so.13\n");
    return 1;
  }
  CUptiResult result = r.cupti.registerCallbacks(requestBuffer, takeBuffer);
  if (result == CUPTI_SUCCESS)
    result = r.cupti.enable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
  if (result != CUPTI_SUCCESS) {
    const char *text = nullptr;
    r.cupti.resultString(result, &text);
    std::fprintf(stderr, "kimi timeline: CUPTI refuses: %s\n", text ? text : "unknown error");
    return 1;
  }
  std::atexit(writeTimeline);
  return 1;
}
