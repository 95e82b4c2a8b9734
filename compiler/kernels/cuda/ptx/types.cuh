// Storage types and shared-memory addresses. No include, so that NVRTC needs no header and compiles in
// milliseconds.
namespace kimi {

struct Bf16 {
  unsigned short bits;
};
struct E4m3 {
  unsigned char bits;
};

// A CUtensorMap as the kernel sees it: 128 opaque bytes that the driver encoded.
struct alignas(64) TensorMap {
  unsigned long long opaque[16];
};

// The 32-bit address of shared memory that PTX instructions take.
__device__ __forceinline__ unsigned sharedAddress(const void *pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

template <class First, class Second> struct Same { static constexpr bool value = false; };
template <class Only> struct Same<Only, Only> { static constexpr bool value = true; };

} // namespace kimi
