// Programmatic dependent launch. A kernel may start while its predecessors still run; what they write may be
// read, and what they read may be written, only after the wait. Weights are written by nobody: they may be
// read before it.
namespace kimi {

__device__ __forceinline__ void waitForPredecessors() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

// From when every block has said so, the next kernel may take free room on the multiprocessors.
__device__ __forceinline__ void letSuccessorsStart() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

} // namespace kimi
