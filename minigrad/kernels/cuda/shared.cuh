// What all kernels share; put in front of each .cu file when it is compiled. A block has 256 threads, 8 warps of 32.
// CuPy compiles by NVRTC, which knows no header of the host: there is no INFINITY, no FLT_MAX, no <cmath>.

typedef long long index_t;  // arrays may hold more than 2^31 entries
constexpr int WARP = 32, BLOCK = 256, WARPS = BLOCK / WARP;

// lowest() stands in for -inf where a difference of two infinities would be nan.
__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }
__device__ __forceinline__ float lowest() { return -3.402823466e38f; }

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
