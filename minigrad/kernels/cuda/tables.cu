// Work on many arrays, or on the rows of one table, in one launch.

// buffer[ids[i]] += rows[order[i]], ids sorted: the block at the first of equal ids adds up the whole run, in order, and
// all other blocks leave at once. The same bits every run (atomics would add in the order of arrival), and the host need
// not know how many runs there are. blockIdx.x is a position, blockIdx.y a piece of the row.
// An id outside the table, which the host has not looked for yet, adds nothing.
extern "C" __global__ void add_rows(float* buffer, const index_t* ids, const index_t* order, const float* rows, index_t n,
                                    index_t width, index_t height) {
    index_t position = blockIdx.x, id = ids[position], column = (index_t)blockIdx.y * BLOCK + threadIdx.x;
    if (column >= width || id < 0 || id >= height || (position > 0 && ids[position - 1] == id)) return;
    float total = 0.0f;
    for (index_t i = position; i < n && ids[i] == id; i++) total += rows[order[i] * width + column];
    buffer[id * width + column] += total;
}

// A stable sort of n ids: the place of each is how many are smaller, or equal and before it. n^2 comparisons, all at once
// and with nobody waiting: up to some ten thousand ids that is less than one look of the host.
extern "C" __global__ void sort_ids(const index_t* ids, index_t* sorted, index_t* order, index_t n) {
    __shared__ index_t tile[BLOCK];
    index_t i = (index_t)blockIdx.x * BLOCK + threadIdx.x, id = i < n ? ids[i] : 0, place = 0;
    for (index_t start = 0; start < n; start += BLOCK) {
        __syncthreads();  // until all threads have done with the former tile
        if (start + threadIdx.x < n) tile[threadIdx.x] = ids[start + threadIdx.x];
        __syncthreads();
        for (index_t j = 0; j < BLOCK && start + j < n; j++) place += tile[j] < id || (tile[j] == id && start + j < i);
    }
    if (i < n) sorted[place] = id, order[place] = i;
}

// Lists of arrays come as a table of addresses, `size[k]` entries in array k. A block takes `chunk` entries: of array
// array_of[blockIdx.x], from start_of[blockIdx.x] on. So a thousand small arrays cost one launch, not a thousand.
//
// Adam and AdamW: optim_reference.py has the formula; scalars holds for each array (shrink, l2, step size, root of bias
// correction 2). `top_or_null`: the largest v so far, for amsgrad.
// The scalars of each array from its step count and the rate, which stay in device memory; in double, in which the host works them out elsewhere.
extern "C" __global__ void adam_scalars(const index_t* step_at, const double* lr, float* scalars, index_t count, double beta1,
                                        double beta2, double weight_decay, int decoupled) {
    index_t k = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (k >= count) return;
    double step = *(const float*)step_at[k], rate = lr[0];
    scalars[4 * k] = (float)(decoupled ? 1.0 - rate * weight_decay : 1.0);
    scalars[4 * k + 1] = (float)(decoupled ? 0.0 : weight_decay);
    scalars[4 * k + 2] = (float)(rate / (1.0 - pow(beta1, step)));
    scalars[4 * k + 3] = (float)sqrt(1.0 - pow(beta2, step));
}

extern "C" __global__ void adam(const index_t* array_of, const index_t* start_of, const index_t* size, const index_t* p_at,
                                const index_t* g_at, const index_t* m_at, const index_t* v_at, const index_t* top_or_null,
                                const float* scalars, index_t chunk, float beta1, float beta2, float eps, float sign) {
    index_t k = array_of[blockIdx.x], start = start_of[blockIdx.x];
    float *p = (float*)p_at[k], *m = (float*)m_at[k], *v = (float*)v_at[k];
    const float* g = (const float*)g_at[k];
    float* top = top_or_null ? (float*)top_or_null[k] : nullptr;
    float shrink = scalars[4 * k], l2 = scalars[4 * k + 1], rate = scalars[4 * k + 2], root = scalars[4 * k + 3];
    for (index_t i = start + threadIdx.x; i < size[k] && i < start + chunk; i += BLOCK) {
        float x = p[i] * shrink, d = sign * g[i] + x * l2;
        float mean = m[i] + (d - m[i]) * (1.0f - beta1), square = v[i] * beta2 + d * d * (1.0f - beta2);
        m[i] = mean, v[i] = square;
        if (top) top[i] = square = top[i] >= square ? top[i] : square;
        p[i] = x - rate * mean / (sqrtf(square) / root + eps);
    }
}

// Step counts, each a number of its own somewhere.
extern "C" __global__ void count_up(const index_t* step_at, index_t count) {
    index_t k = (index_t)blockIdx.x * BLOCK + threadIdx.x;
    if (k < count) *(float*)step_at[k] += 1.0f;
}

// The sum of squares of each chunk; their sum is the square of the norm that gradients are clipped by.
extern "C" __global__ void square_sums(const index_t* array_of, const index_t* start_of, const index_t* size,
                                       const index_t* at, float* sums, index_t chunk) {
    index_t k = array_of[blockIdx.x], start = start_of[blockIdx.x];
    const float* x = (const float*)at[k];
    float own = 0.0f;
    for (index_t i = start + threadIdx.x; i < size[k] && i < start + chunk; i += BLOCK) own += x[i] * x[i];
    float total = block_sum(own);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// x *= factor[0], which stays in device memory: the host does not wait to learn whether there is anything to clip.
extern "C" __global__ void scale_all(const index_t* array_of, const index_t* start_of, const index_t* size,
                                     const index_t* at, const float* factor, index_t chunk) {
    index_t k = array_of[blockIdx.x], start = start_of[blockIdx.x];
    float* x = (float*)at[k];
    for (index_t i = start + threadIdx.x; i < size[k] && i < start + chunk; i += BLOCK) x[i] *= factor[0];
}
