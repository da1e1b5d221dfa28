// What all kernels share; put in front of each .cu file when it is compiled. A block has 256 threads, 8 warps of 32.
// CuPy compiles by NVRTC, which knows no header of the host: there is no INFINITY, no FLT_MAX, no <cmath>.

typedef long long index_t;  // arrays may hold more than 2^31 entries
constexpr int WARP = 32, BLOCK = 256, WARPS = BLOCK / WARP;

// lowest() stands in for -inf where a difference of two infinities would be nan.
__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }
__device__ __forceinline__ float lowest() { return -3.402823466e38f; }

// The 16 bits of a float16 and of a bfloat16. CuPy finds the header cuda_fp16.h on some machines only, and one instruction
// each way is all that is needed of it; a bfloat16 is the upper half of a float.
struct Half { unsigned short bits; };
struct Bfloat { unsigned short bits; };

#ifdef __CUDACC__
__device__ __forceinline__ float widened(Half x) {
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
    return wide;
}
__device__ __forceinline__ Half to_half(float x) {
    Half narrow;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(narrow.bits) : "f"(x));
    return narrow;
}
#else  // the tests run this file on the CPU, whose compiler knows the type
__device__ __forceinline__ float widened(Half x) { return __builtin_bit_cast(_Float16, x.bits); }
__device__ __forceinline__ Half to_half(float x) { return {__builtin_bit_cast(unsigned short, (_Float16)x)}; }
#endif
__device__ __forceinline__ float widened(float x) { return x; }
__device__ __forceinline__ float widened(Bfloat x) { return __int_as_float((int)((unsigned)x.bits << 16)); }
__device__ __forceinline__ Bfloat to_bfloat(float x) {  // to the nearest, ties to even
    unsigned bits = (unsigned)__float_as_int(x);
    if (x != x) return {(unsigned short)(bits >> 16 | 0x40)};  // a nan stays one
    return {(unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

template <class T>
__device__ __forceinline__ T rounded(float x);
template <>
__device__ __forceinline__ float rounded<float>(float x) { return x; }
template <>
__device__ __forceinline__ Half rounded<Half>(float x) { return to_half(x); }
template <>
__device__ __forceinline__ Bfloat rounded<Bfloat>(float x) { return to_bfloat(x); }

__device__ __forceinline__ float warp_sum(float v) {
    for (int step = WARP / 2; step > 0; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
}

__device__ __forceinline__ float warp_max(float v) {
    for (int step = WARP / 2; step > 0; step /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, step));
    return v;
}

// The sum (largest) over the block, known to all its threads. Parts are added in one order: the same bits every run.
__device__ __forceinline__ float block_sum(float v) {
    __shared__ float parts[WARPS];
    v = warp_sum(v);
    __syncthreads();  // until all threads have read what a former call left
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = v;
    __syncthreads();
    float total = parts[0];
    for (int i = 1; i < WARPS; i++) total += parts[i];
    return total;
}

__device__ __forceinline__ float block_max(float v) {
    __shared__ float parts[WARPS];
    v = warp_max(v);
    __syncthreads();
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = v;
    __syncthreads();
    float top = parts[0];
    for (int i = 1; i < WARPS; i++) top = fmaxf(top, parts[i]);
    return top;
}
