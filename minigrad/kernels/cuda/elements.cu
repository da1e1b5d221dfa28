// One entry a thread: activations with their bias, and random numbers.

enum Activation { RELU, GELU, SILU };

__device__ __forceinline__ float activated(float z, int kind) {
    if (kind == RELU) return z < 0.0f ? 0.0f : z;  // a nan stays
    if (kind == GELU) return 0.5f * z * (1.0f + erff(z * 0.70710678f));
    return z / (1.0f + expf(-z));
}

__device__ __forceinline__ float slope(float z, int kind) {
    if (kind == RELU) return z <= 0.0f ? 0.0f : 1.0f;
    if (kind == GELU) return 0.5f * (1.0f + erff(z * 0.70710678f)) + z * 0.39894228f * expf(-0.5f * z * z);
    float s = 1.0f / (1.0f + expf(-z));
    return s * (1.0f + z * (1.0f - s));
}

// z += bias (one for each column), y = activation(z): one pass where bias and activation apart would be two.
extern "C" __global__ void bias_activation(float* z, const float* bias_or_null, float* y, index_t n, index_t columns,
                                           int kind) {
    index_t i = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= n) return;
    float v = z[i];
    if (bias_or_null) z[i] = v = v + bias_or_null[i % columns];
    y[i] = activated(v, kind);
}

extern "C" __global__ void activation(const float* x, float* y, index_t n, int kind) {
    index_t i = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) y[i] = activated(x[i], kind);
}

extern "C" __global__ void activation_backward(const float* dy, const float* saved, float* dx, index_t n, int kind) {
    index_t i = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) dx[i] = kind == RELU && saved[i] <= 0.0f ? 0.0f : dy[i] * slope(saved[i], kind);
}

// Philox4x32-10: kernels/philox.py explains it. A thread makes one block of four words.
struct Words { unsigned at[4]; };

__device__ __forceinline__ Words philox(const unsigned long long* state, index_t skip, index_t block) {
    unsigned long long counter = state[1] + skip + block, key = state[0];
    unsigned c0 = (unsigned)counter, c1 = (unsigned)(counter >> 32), c2 = 0, c3 = 0;
    unsigned k0 = (unsigned)key, k1 = (unsigned)(key >> 32);
    for (int round = 0; round < 10; round++) {
        unsigned long long first = 0xD2511F53ull * c0, second = 0xCD9E8D57ull * c2;
        c0 = (unsigned)(second >> 32) ^ c1 ^ k0, c1 = (unsigned)second;
        c2 = (unsigned)(first >> 32) ^ c3 ^ k1, c3 = (unsigned)first;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

extern "C" __global__ void philox_words(const unsigned long long* state, unsigned* y, index_t skip, index_t n) {
    index_t block = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (4 * block >= n) return;
    Words words = philox(state, skip, block);
    for (int i = 0; i < 4 && 4 * block + i < n; i++) y[4 * block + i] = words.at[i];
}

extern "C" __global__ void philox_uniform(const unsigned long long* state, float* y, index_t skip, index_t n) {
    index_t block = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (4 * block >= n) return;
    Words words = philox(state, skip, block);
    for (int i = 0; i < 4 && 4 * block + i < n; i++) y[4 * block + i] = (words.at[i] >> 8) * 0x1p-24f;
}

extern "C" __global__ void philox_normal(const unsigned long long* state, float* y, index_t skip, index_t n) {
    index_t block = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (4 * block >= n) return;
    Words words = philox(state, skip, block);
    for (int pair = 0; pair < 4; pair += 2) {
        float radius = sqrtf(-2.0f * logf(((float)words.at[pair] + 1.0f) * 0x1p-32f));
        float turns = (float)words.at[pair + 1] * 0x1p-32f;  // cospif(2 v) is cos(2 pi v), with no range to reduce
        if (4 * block + pair < n) y[4 * block + pair] = radius * cospif(2.0f * turns);
        if (4 * block + pair + 1 < n) y[4 * block + pair + 1] = radius * sinpif(2.0f * turns);
    }
}

extern "C" __global__ void philox_keep(const unsigned long long* state, float* y, index_t skip, index_t n,
                                       index_t threshold, float factor) {
    index_t block = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (4 * block >= n) return;
    Words words = philox(state, skip, block);
    for (int i = 0; i < 4 && 4 * block + i < n; i++) y[4 * block + i] = words.at[i] < threshold ? factor : 0.0f;
}
