// The fake CUDA driver: launches and graphs.
#include "tests/runtime/fake_cuda/FakeDriver.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

namespace kimi::test {

struct Node {
  FakeFunction *function;
  unsigned blocks, cluster = 1;
  std::vector<std::vector<std::byte>> values; // of the parameters, copied when the node was added
  std::vector<Node *> dependencies;
  std::vector<void *> parameters; // into values, once the graph is executable
};

struct FakeGraph {
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<Node *> order; // once it is executable
};

/// Of the nodes that may run, the last added runs first: an edge that is missing shows. False for a cycle.
static bool chooseOrder(FakeGraph &graph) {
  auto isDone = [&](Node *node) { return std::ranges::find(graph.order, node) != graph.order.end(); };
  auto isReady = [&](auto &node) {
    return !isDone(node.get()) && std::ranges::all_of(node->dependencies, isDone);
  };
  while (graph.order.size() < graph.nodes.size()) {
    auto next = std::find_if(graph.nodes.rbegin(), graph.nodes.rend(), isReady);
    if (next == graph.nodes.rend())
      return false;
    graph.order.push_back(next->get());
  }
  return true;
}

static CUresult checkShape(const FakeFunction &function, unsigned blocks, unsigned threads,
                           unsigned sharedBytes, unsigned cluster) {
  bool isGood = blocks > 0 && threads > 0 && int(threads) <= fake().maxThreads && blocks % cluster == 0 &&
                sharedBytes <= function.dynamicSharedBytes;
  return isGood ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void runKernel(const FakeFunction &function, void **parameters, unsigned blocks) {
  if (fake().isFaulted)
    return;
  if (function.name == fake().faultingKernel) {
    fake().isFaulted = true;
    return;
  }
  for (unsigned block = 0; block < blocks; ++block)
    function.run(parameters, block);
  count(fake().blocks, blocks);
}

void runGraph(const FakeGraph &graph) {
  for (Node *node : graph.order) {
    count(fake().clusteredLaunches, node->cluster > 1);
    runKernel(*node->function, node->parameters.data(), node->blocks);
  }
  count(fake().graphNodes, int64_t(graph.order.size()));
}

static void addOverlapping(const FakeFunction &function) {
  if (fake().notesOverlapping)
    fake().overlapping += function.name + ' ';
}

} // namespace kimi::test

using namespace kimi::test;

extern "C" {

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction handle, void **parameters, void **) {
  ENTER();
  auto &function = *reinterpret_cast<FakeFunction *>(handle);
  if (function.name == fake().refusedKernel)
    return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  unsigned cluster = 1;
  bool overlaps = false;
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    if (config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      cluster = config->attrs[i].value.clusterDim.x;
    if (config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
      overlaps = config->attrs[i].value.programmaticStreamSerializationAllowed;
  }
  if (CUresult result =
          checkShape(function, config->gridDimX, config->blockDimX, config->sharedMemBytes, cluster))
    return result;
  if (overlaps && !followsKernel(config->hStream))
    return CUDA_ERROR_INVALID_VALUE;
  if (overlaps)
    addOverlapping(function);
  count(fake().programmaticLaunches, overlaps);
  count(fake().clusteredLaunches, cluster > 1);
  count(fake().launches, 1);
  return enqueue(config->hStream,
                 {.kind = Operation::kernel, .function = &function, .blocks = config->gridDimX}, parameters);
}

CUresult cuGraphCreate(CUgraph *graph, unsigned) {
  ENTER();
  count(fake().liveHandles, 1);
  return *graph = reinterpret_cast<CUgraph>(new FakeGraph()), CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  delete reinterpret_cast<FakeGraph *>(graph);
  return count(fake().liveHandles, -1), CUDA_SUCCESS;
}

CUresult cuGraphAddKernelNode_v2(CUgraphNode *handle, CUgraph graph, const CUgraphNode *,
                                 size_t numDependencies, const CUDA_KERNEL_NODE_PARAMS *parameters) {
  ENTER();
  auto &function = *reinterpret_cast<FakeFunction *>(parameters->func);
  if (numDependencies > 0)
    return CUDA_ERROR_INVALID_VALUE; // not faked
  if (CUresult result = checkShape(function, parameters->gridDimX, parameters->blockDimX,
                                   parameters->sharedMemBytes, /*cluster=*/1))
    return result;
  auto node = std::make_unique<Node>();
  node->function = &function;
  node->blocks = parameters->gridDimX;
  for (size_t i = 0; function.parameterBytes[i]; ++i) {
    auto *value = static_cast<const std::byte *>(parameters->kernelParams[i]);
    node->values.emplace_back(value, value + function.parameterBytes[i]);
  }
  *handle = reinterpret_cast<CUgraphNode>(node.get());
  reinterpret_cast<FakeGraph *>(graph)->nodes.push_back(std::move(node));
  return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeSetAttribute(CUgraphNode node, CUlaunchAttributeID attribute,
                                       const CUlaunchAttributeValue *value) {
  ENTER();
  if (attribute != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION ||
      reinterpret_cast<Node *>(node)->blocks % value->clusterDim.x != 0)
    return CUDA_ERROR_INVALID_VALUE;
  reinterpret_cast<Node *>(node)->cluster = value->clusterDim.x;
  return CUDA_SUCCESS;
}

CUresult cuGraphAddDependencies_v2(CUgraph, const CUgraphNode *from, const CUgraphNode *to,
                                   const CUgraphEdgeData *edges, size_t number) {
  ENTER();
  for (size_t i = 0; i < number; ++i) {
    reinterpret_cast<Node *>(to[i])->dependencies.push_back(reinterpret_cast<Node *>(from[i]));
    bool isProgrammatic = edges[i].type == CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
    if (isProgrammatic != (edges[i].from_port == CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC) ||
        edges[i].to_port != 0)
      return CUDA_ERROR_INVALID_VALUE;
    count(isProgrammatic ? fake().programmaticEdges : fake().fullEdges, 1);
    if (isProgrammatic)
      addOverlapping(*reinterpret_cast<Node *>(to[i])->function);
  }
  return CUDA_SUCCESS;
}

/// The executable is a copy: the graph it came from may go.
CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long) {
  ENTER();
  auto copy = std::make_unique<FakeGraph>();
  auto &nodes = reinterpret_cast<FakeGraph *>(graph)->nodes;
  for (auto &node : nodes)
    copy->nodes.push_back(std::make_unique<Node>(*node));
  for (auto &node : copy->nodes) {
    for (auto &value : node->values)
      node->parameters.push_back(value.data());
    for (Node *&dependency : node->dependencies) {
      auto isIt = [&](auto &other) { return other.get() == dependency; };
      dependency = copy->nodes[size_t(std::ranges::find_if(nodes, isIt) - nodes.begin())].get();
    }
  }
  if (!chooseOrder(*copy))
    return CUDA_ERROR_INVALID_VALUE;
  *executable = reinterpret_cast<CUgraphExec>(copy.release());
  return count(fake().liveHandles, 1), CUDA_SUCCESS;
}
CUresult cuGraphExecDestroy(CUgraphExec executable) {
  delete reinterpret_cast<FakeGraph *>(executable);
  return count(fake().liveHandles, -1), CUDA_SUCCESS;
}
CUresult cuGraphUpload(CUgraphExec, CUstream) { return enter(); }

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  ENTER();
  count(fake().graphStarts, 1);
  return enqueue(stream, {.kind = Operation::graph, .executable = reinterpret_cast<FakeGraph *>(executable)});
}

} // extern "C"
