// Attention that never stores the T x S weights (arXiv:2205.14135): softmax(scale q k^T) v for q (B, T, D), k and
// v (B, S, D), D <= 128, B the batch and heads together. Head size and mask are read at run time; float32 throughout.
//
// A warp owns one row (a query in the forward and in dq, a key in dk and dv) and meets the other side in tiles of 32 that
// its block has brought into shared memory: lane j works out the whole score of tile row j, so that the softmax of a tile
// costs two warp reductions and not two for each score; then each lane gathers the result's columns lane, lane + 32, ...
// Rows of a tile are D + 1 apart in shared memory: with D, all 32 lanes would ask the same memory bank.

constexpr int LARGEST = 128, PER_LANE = LARGEST / WARP;

struct Mask {  // none, or boolean (True: seen), or added to the scores; one for all of B where `batched` is 0
    const unsigned char* seen;
    const float* added;
    int batched, causal;
};

__device__ __forceinline__ float masked(float score, Mask mask, index_t b, index_t i, index_t j, index_t T, index_t S) {
    index_t at = ((mask.batched ? b * T : 0) + i) * S + j;
    if ((mask.causal && j > i) || (mask.seen && !mask.seen[at])) return -infinity();
    return mask.added ? score + mask.added[at] : score;
}

// Rows first .. first + 31 of x (count, D) into the tile, zeros after the last.
__device__ __forceinline__ void load_tile(float* tile, const float* x, index_t first, index_t count, int D) {
    for (int at = threadIdx.x; at < WARP * D; at += BLOCK) {
        int row = at / D, column = at % D;
        tile[row * (D + 1) + column] = first + row < count ? x[(first + row) * D + column] : 0.0f;
    }
}

__device__ __forceinline__ float dot(const float* a, const float* b, int D) {
    float total = 0.0f;
    for (int d = 0; d < D; d++) total += a[d] * b[d];
    return total;
}

// Online softmax: acc and sum are relative to the largest score so far, and are scaled when a larger one comes. A query
// that sees no key gets zeros, and lse = +inf, with which the backward's exp(score - lse) is 0.
extern "C" __global__ void attention_fwd(const float* q, const float* k, const float* v, const unsigned char* seen_or_null,
                                         const float* added_or_null, float* out, float* lse, index_t T, index_t S, int D,
                                         int batched, int causal, float scale) {
    __shared__ float keys[WARP * (LARGEST + 1)], values[WARP * (LARGEST + 1)], rows[WARPS * LARGEST];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    index_t b = blockIdx.y, i = (index_t)blockIdx.x * WARPS + warp;
    Mask mask = {seen_or_null, added_or_null, batched, causal};
    float* query = rows + warp * LARGEST;
    q += b * T * D, k += b * S * D, v += b * S * D;
    for (int d = lane; d < D; d += WARP) query[d] = i < T ? q[i * D + d] : 0.0f;
    float top = lowest(), sum = 0.0f, acc[PER_LANE] = {};
    index_t last = causal && ((index_t)blockIdx.x + 1) * WARPS < S ? ((index_t)blockIdx.x + 1) * WARPS : S;
    for (index_t first = 0; first < last; first += WARP) {  // causal: keys after the block's last query are not visited
        __syncthreads();
        load_tile(keys, k, first, S, D);
        load_tile(values, v, first, S, D);
        __syncthreads();
        index_t j = first + lane;
        float score = -infinity();
        if (i < T && j < S) score = masked(scale * dot(query, keys + lane * (D + 1), D), mask, b, i, j, T, S);
        float higher = fmaxf(top, warp_max(score)), p = expf(score - higher), shrink = expf(top - higher);
        sum = sum * shrink + warp_sum(p);
        top = higher;
        for (int c = 0; c < PER_LANE; c++) acc[c] *= shrink;
        for (int t = 0; t < WARP; t++) {
            float weight = __shfl_sync(0xffffffffu, p, t);
            for (int c = 0; c < PER_LANE; c++)
                if (lane + c * WARP < D) acc[c] += weight * values[t * (D + 1) + lane + c * WARP];
        }
    }
    if (i >= T) return;
    for (int c = 0; c < PER_LANE; c++)
        if (lane + c * WARP < D) out[(b * T + i) * D + lane + c * WARP] = sum == 0.0f ? 0.0f : acc[c] / sum;
    if (lane == 0) lse[b * T + i] = sum == 0.0f ? infinity() : top + logf(sum);
}

// delta[i] = sum of dout out over the row: what the softmax's gradient subtracts, worked out once for both kernels below.
extern "C" __global__ void attention_delta(const float* dout, const float* out, float* delta, index_t rows, int D) {
    int lane = threadIdx.x % WARP;
    index_t row = (index_t)blockIdx.x * WARPS + threadIdx.x / WARP;
    float own = 0.0f;
    for (int d = lane; d < D && row < rows; d += WARP) own += dout[row * D + d] * out[row * D + d];
    own = warp_sum(own);
    if (lane == 0 && row < rows) delta[row] = own;
}

// With p = exp(score - lse) and ds = p (dout . v - delta) scale:  dq = sum_j ds k.
extern "C" __global__ void attention_dq(const float* dout, const float* q, const float* k, const float* v,
                                        const unsigned char* seen_or_null, const float* added_or_null, const float* lse,
                                        const float* delta, float* dq, index_t T, index_t S, int D, int batched, int causal,
                                        float scale) {
    __shared__ float keys[WARP * (LARGEST + 1)], values[WARP * (LARGEST + 1)], rows[WARPS * LARGEST];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    index_t b = blockIdx.y, i = (index_t)blockIdx.x * WARPS + warp;
    Mask mask = {seen_or_null, added_or_null, batched, causal};
    q += b * T * D, dout += b * T * D, k += b * S * D, v += b * S * D;
    float* query = rows + warp * LARGEST;
    float acc[PER_LANE] = {};
    for (int d = lane; d < D; d += WARP) query[d] = i < T ? q[i * D + d] : 0.0f;
    float row_lse = i < T ? lse[b * T + i] : 0.0f, row_delta = i < T ? delta[b * T + i] : 0.0f;
    index_t last = causal && ((index_t)blockIdx.x + 1) * WARPS < S ? ((index_t)blockIdx.x + 1) * WARPS : S;
    for (index_t first = 0; first < last; first += WARP) {
        __syncthreads();
        load_tile(keys, k, first, S, D);
        load_tile(values, v, first, S, D);
        __syncthreads();
        index_t j = first + lane;
        float ds = 0.0f;
        if (i < T && j < S) {
            float score = masked(scale * dot(query, keys + lane * (D + 1), D), mask, b, i, j, T, S);
            ds = expf(score - row_lse) * (dot(dout + i * D, values + lane * (D + 1), D) - row_delta) * scale;
        }
        for (int t = 0; t < WARP; t++) {
            float weight = __shfl_sync(0xffffffffu, ds, t);
            for (int c = 0; c < PER_LANE; c++)
                if (lane + c * WARP < D) acc[c] += weight * keys[t * (D + 1) + lane + c * WARP];
        }
    }
    for (int c = 0; c < PER_LANE; c++)
        if (i < T && lane + c * WARP < D) dq[(b * T + i) * D + lane + c * WARP] = acc[c];
}

// dv = sum_i p dout, dk = sum_i ds q: a warp owns a key, and queries come in tiles.
extern "C" __global__ void attention_dkv(const float* dout, const float* q, const float* k, const float* v,
                                         const unsigned char* seen_or_null, const float* added_or_null, const float* lse,
                                         const float* delta, float* dk, float* dv, index_t T, index_t S, int D,
                                         int batched, int causal, float scale) {
    __shared__ float queries[WARP * (LARGEST + 1)], douts[WARP * (LARGEST + 1)], rows[WARPS * LARGEST];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    index_t b = blockIdx.y, j = (index_t)blockIdx.x * WARPS + warp;
    Mask mask = {seen_or_null, added_or_null, batched, causal};
    q += b * T * D, dout += b * T * D, k += b * S * D, v += b * S * D;
    float* key = rows + warp * LARGEST;
    for (int d = lane; d < D; d += WARP) key[d] = j < S ? k[j * D + d] : 0.0f;
    float to_k[PER_LANE] = {}, to_v[PER_LANE] = {};
    index_t start = causal ? (index_t)blockIdx.x * WARPS / WARP * WARP : 0;  // queries before the keys see none of them
    for (index_t first = start; first < T; first += WARP) {
        __syncthreads();
        load_tile(queries, q, first, T, D);
        load_tile(douts, dout, first, T, D);
        __syncthreads();
        index_t i = first + lane;
        float p = 0.0f, ds = 0.0f;
        if (i < T && j < S) {
            float score = masked(scale * dot(key, queries + lane * (D + 1), D), mask, b, i, j, T, S);
            p = expf(score - lse[b * T + i]);
            ds = p * (dot(v + j * D, douts + lane * (D + 1), D) - delta[b * T + i]) * scale;
        }
        for (int t = 0; t < WARP; t++) {
            float weight = __shfl_sync(0xffffffffu, p, t), slope = __shfl_sync(0xffffffffu, ds, t);
            for (int c = 0; c < PER_LANE; c++)
                if (lane + c * WARP < D) {
                    to_v[c] += weight * douts[t * (D + 1) + lane + c * WARP];
                    to_k[c] += slope * queries[t * (D + 1) + lane + c * WARP];
                }
        }
    }
    for (int c = 0; c < PER_LANE; c++)
        if (j < S && lane + c * WARP < D) {
            dk[(b * S + j) * D + lane + c * WARP] = to_k[c];
            dv[(b * S + j) * D + lane + c * WARP] = to_v[c];
        }
}
