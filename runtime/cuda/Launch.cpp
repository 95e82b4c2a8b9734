#include "runtime/cuda/Launch.h"

#include <vector>

namespace kimi::runtime::cuda {

static CUlaunchAttributeValue clusterValue(uint32_t blocks) {
  CUlaunchAttributeValue value{};
  value.clusterDim = {blocks, 1, 1};
  return value;
}

Status startLaunch(const Device &device, CUstream stream, const KernelLaunch &launch, bool overlaps) {
  const KernelHandle &kernel = *launch.kernel;
  CUlaunchAttribute attributes[2] = {};
  unsigned numAttributes = 0;
  if (kernel.cluster > 1)
    attributes[numAttributes++] = {CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, {}, clusterValue(kernel.cluster)};
  if (overlaps && kernel.programmatic) {
    attributes[numAttributes].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attributes[numAttributes++].value.programmaticStreamSerializationAllowed = 1;
  }
  CUlaunchConfig config{.gridDimX = launch.blocks,
                        .gridDimY = 1,
                        .gridDimZ = 1,
                        .blockDimX = kernel.threads,
                        .blockDimY = 1,
                        .blockDimZ = 1,
                        .sharedMemBytes = kernel.sharedBytes,
                        .hStream = stream,
                        .attrs = attributes,
                        .numAttrs = numAttributes};
  return device.driver().cuLaunchKernelEx(&config, kernel.function, launch.parameters, nullptr);
}

static Expected<CUgraphNode> addNode(const Driver &driver, CUgraph graph, const KernelLaunch &launch) {
  const KernelHandle &kernel = *launch.kernel;
  CUDA_KERNEL_NODE_PARAMS parameters{.func = kernel.function,
                                     .gridDimX = launch.blocks,
                                     .gridDimY = 1,
                                     .gridDimZ = 1,
                                     .blockDimX = kernel.threads,
                                     .blockDimY = 1,
                                     .blockDimZ = 1,
                                     .sharedMemBytes = kernel.sharedBytes,
                                     .kernelParams = launch.parameters,
                                     .extra = nullptr,
                                     .kern = nullptr,
                                     .ctx = nullptr};
  CUgraphNode node = nullptr;
  TRY(driver.cuGraphAddKernelNode(&node, graph, nullptr, 0, &parameters));
  if (kernel.cluster > 1) {
    CUlaunchAttributeValue value = clusterValue(kernel.cluster);
    TRY(driver.cuGraphKernelNodeSetAttribute(node, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, &value));
  }
  return node;
}

Expected<Graph> Graph::build(const Device &device, std::span<const KernelLaunch> launches) {
  const Driver &driver = device.driver();
  CUgraph created = nullptr;
  TRY(driver.cuGraphCreate(&created, 0));
  Owned<CUgraph> graph(created, driver.cuGraphDestroy);
  std::vector<CUgraphNode> nodes;
  std::vector<CUgraphEdgeData> edges;
  for (const KernelLaunch &launch : launches) {
    TRY_ASSIGN(CUgraphNode node, addNode(driver, graph.get(), launch));
    nodes.push_back(node);
    CUgraphEdgeData edge{};
    if (launch.kernel->programmatic) {
      edge.from_port = CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC;
      edge.type = CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC;
    }
    edges.push_back(edge); // into this node
  }
  if (nodes.size() > 1)
    TRY(driver.cuGraphAddDependencies(graph.get(), nodes.data(), nodes.data() + 1, edges.data() + 1,
                                      nodes.size() - 1));
  CUgraphExec executable = nullptr;
  TRY(driver.cuGraphInstantiate(&executable, graph.get(), 0));
  Graph built;
  built.executable = Owned<CUgraphExec>(executable, driver.cuGraphExecDestroy);
  return built;
}

Status Graph::upload(const Device &device, CUstream stream) const {
  return device.driver().cuGraphUpload(executable.get(), stream);
}

Status Graph::start(const Device &device, CUstream stream) const {
  return device.driver().cuGraphLaunch(executable.get(), stream);
}

} // namespace kimi::runtime::cuda
