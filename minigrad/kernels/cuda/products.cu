// Matrix products, and convolution in two dimensions with its two adjoints: each of these is a product whose right side is
// never stored, as its numbers are gathered from the images on their way into shared memory. The formulas stand in
// kernels/common_conv.py.
//
//             rows m                  columns n                  summed over k
//   forward   output channels         places of the output       (input channel, kernel place)
//   input     input channels          places of the input        (output channel, kernel place)
//   weight    output channels         (input channel, kernel place)     places of the output, in parts added later
//
// A block makes a tile of 64 x 64 numbers, a thread 16 of them, 16 steps of k at a time. What a step of k means (which
// channel, which place) takes divisions, so 16 threads find it out for all. Every sum has one order: the same bits every
// run. Groups are products of their own.

constexpr int TILE = 64, DEPTH = 16, OWN = 4, SIDE = TILE / OWN;  // SIDE x SIDE threads, OWN x OWN numbers each

struct Window {  // where the kernel is put; C and O are the channels of a group
    int C, H, W, O, OH, OW, kh, kw, sh, sw, top, left, dh, dw, groups, group;
};

struct Step {  // what a step of k means: an offset in memory, and a place in an image
    index_t at;
    int y, x;
};

__device__ __forceinline__ Step tap(Window w, index_t k, index_t apart) {  // k = (channel, p, q), channels `apart`
    int size = w.kh * w.kw, inside = (int)(k % size);
    return {k / size * apart, inside / w.kw * w.dh, inside % w.kw * w.dw};
}

template <class T>  // float, Half or Bfloat: how the numbers are stored; they are multiplied and added as floats
struct Matrices {
    const T *a, *b, *bias;
    T* c;
    index_t N, a_row, a_column, b_row, b_column;  // the steps in memory from row to row and from column to column
    const T* source;                              // this thread's column of b
    __device__ void column(index_t n) { source = b + n * b_column; }
    __device__ Step step(index_t k) const { return {k, 0, 0}; }
    __device__ float left(index_t m, index_t k, Step) const { return widened(a[m * a_row + k * a_column]); }
    __device__ float right(Step s) const { return widened(source[s.at * b_row]); }
    __device__ void store(index_t m, index_t n, float value) const {
        c[m * N + n] = rounded<T>(value + (bias ? widened(bias[n]) : 0.0f));
    }
};

struct Forward {
    const float *x, *weight, *bias;
    float* y;
    Window w;
    index_t inner;        // steps of k
    const float* source;  // of this thread's column: its image, and the place that the first tap sees
    int i, j;
    __device__ void column(index_t n) {
        index_t places = (index_t)w.OH * w.OW, place = n % places;
        source = x + (n / places * w.groups + w.group) * w.C * w.H * w.W;
        i = (int)(place / w.OW) * w.sh - w.top, j = (int)(place % w.OW) * w.sw - w.left;
    }
    __device__ Step step(index_t k) const { return tap(w, k, (index_t)w.H * w.W); }
    __device__ float left(index_t m, index_t k, Step) const { return weight[((index_t)w.group * w.O + m) * inner + k]; }
    __device__ float right(Step s) const {
        int row = i + s.y, col = j + s.x;
        return row >= 0 && row < w.H && col >= 0 && col < w.W ? source[s.at + (index_t)row * w.W + col] : 0.0f;
    }
    __device__ void store(index_t m, index_t n, float value) const {
        index_t places = (index_t)w.OH * w.OW, channel = w.group * w.O + m;
        y[(n / places * w.groups * w.O + channel) * places + n % places] = value + (bias ? bias[channel] : 0.0f);
    }
};

struct Input {  // a place of the input was seen by tap (p, q) of the output place ((i + top - p dh) / sh, ...), if whole
    const float *dy, *weight, *bias;
    float* dx;
    Window w;
    const float* source;
    int i, j;
    __device__ void column(index_t n) {
        index_t places = (index_t)w.H * w.W, place = n % places;
        source = dy + (n / places * w.groups + w.group) * w.O * w.OH * w.OW;
        i = (int)(place / w.W) + w.top, j = (int)(place % w.W) + w.left;
    }
    __device__ Step step(index_t k) const { return tap(w, k, (index_t)w.OH * w.OW); }
    __device__ float left(index_t m, index_t k, Step) const {
        index_t size = (index_t)w.kh * w.kw, channel = w.group * w.O + k / size;
        return weight[(channel * w.C + m) * size + k % size];
    }
    __device__ float right(Step s) const {
        int row = i - s.y, col = j - s.x;
        if (row < 0 || col < 0 || row % w.sh || col % w.sw) return 0.0f;
        row /= w.sh, col /= w.sw;
        return row < w.OH && col < w.OW ? source[s.at + (index_t)row * w.OW + col] : 0.0f;
    }
    __device__ void store(index_t m, index_t n, float value) const {
        index_t places = (index_t)w.H * w.W, channel = w.group * w.C + m;
        dx[(n / places * w.groups * w.C + channel) * places + n % places] = value + (bias ? bias[channel] : 0.0f);
    }
};

struct Weight {
    const float *x, *dy;
    float* part;  // (O of all groups, C kh kw), the sum over some of the places
    Window w;
    index_t columns;
    const float* source;
    int i, j;
    __device__ void column(index_t n) {
        Step own = tap(w, n, (index_t)w.H * w.W);
        source = x + (index_t)w.group * w.C * w.H * w.W + own.at;
        i = own.y - w.top, j = own.x - w.left;
    }
    __device__ Step step(index_t k) const {
        index_t places = (index_t)w.OH * w.OW, place = k % places;
        return {k / places, (int)(place / w.OW), (int)(place % w.OW)};
    }
    __device__ float left(index_t m, index_t, Step s) const {
        index_t channel = (s.at * w.groups + w.group) * w.O + m;
        return dy[(channel * w.OH + s.y) * w.OW + s.x];
    }
    __device__ float right(Step s) const {
        int row = s.y * w.sh + i, col = s.x * w.sw + j;
        index_t image = s.at * w.groups * w.C * w.H * w.W;
        return row >= 0 && row < w.H && col >= 0 && col < w.W ? source[image + (index_t)row * w.W + col] : 0.0f;
    }
    __device__ void store(index_t m, index_t n, float value) const {
        part[((index_t)w.group * w.O + m) * columns + n] = value;
    }
};

// Rows m0 .. m0 + 63 and columns n0 .. n0 + 63 of an M x N product, summed over k from `first` to `last`.
template <class Product>
__device__ __forceinline__ void make_tile(Product p, index_t M, index_t N, index_t m0, index_t n0, index_t first,
                                          index_t last) {
    __shared__ float a[DEPTH][TILE + 1], b[DEPTH][TILE + 1];  // + 1: columns of a are written by 16 threads at once
    __shared__ Step steps[DEPTH];
    int tx = threadIdx.x % SIDE, ty = threadIdx.x / SIDE, column = threadIdx.x % TILE;
    bool has_column = n0 + column < N;
    if (has_column) p.column(n0 + column);
    float sums[OWN][OWN] = {};
    for (index_t k = first; k < last; k += DEPTH) {
        __syncthreads();  // the last tiles have been read
        if (threadIdx.x < DEPTH && k + threadIdx.x < last) steps[threadIdx.x] = p.step(k + threadIdx.x);
        __syncthreads();
        for (int at = threadIdx.x; at < TILE * DEPTH; at += BLOCK) {
            int m = at / DEPTH, d = at % DEPTH;  // neighbours in k: of a weight they are neighbours in memory
            a[d][m] = m0 + m < M && k + d < last ? p.left(m0 + m, k + d, steps[d]) : 0.0f;
        }
        for (int d = threadIdx.x / TILE; d < DEPTH; d += BLOCK / TILE)
            b[d][column] = has_column && k + d < last ? p.right(steps[d]) : 0.0f;
        __syncthreads();
        for (int d = 0; d < DEPTH; d++) {
            float left[OWN], right[OWN];
            for (int r = 0; r < OWN; r++) left[r] = a[d][ty + r * SIDE], right[r] = b[d][tx + r * SIDE];
            for (int r = 0; r < OWN; r++)
                for (int c = 0; c < OWN; c++) sums[r][c] += left[r] * right[c];
        }
    }
    for (int r = 0; r < OWN; r++)
        for (int c = 0; c < OWN; c++)
            if (m0 + ty + r * SIDE < M && n0 + tx + c * SIDE < N) p.store(m0 + ty + r * SIDE, n0 + tx + c * SIDE, sums[r][c]);
}

// c = a @ b + bias for each of a batch: a (M, K) or, transposed, (K, M); b (K, N) or (N, K), `a_step` and `b_step` from one
// matrix to the next, 0 where one serves all. The second axis of the grid counts matrix and tile of rows.
template <class T>
__device__ __forceinline__ void multiply(const T* a, const T* b, const T* bias, T* c, index_t M, index_t N, index_t K,
                                         index_t a_step, index_t b_step, int a_transposed, int b_transposed) {
    index_t tiles = (M + TILE - 1) / TILE, which = blockIdx.y / tiles;
    Matrices<T> p = {a + which * a_step, b + which * b_step, bias, c + which * M * N, N, a_transposed ? 1 : K,
                     a_transposed ? M : 1, b_transposed ? 1 : N, b_transposed ? K : 1, b};
    make_tile(p, M, N, blockIdx.y % tiles * TILE, (index_t)blockIdx.x * TILE, 0, K);
}

extern "C" __global__ void matmul(const float* a, const float* b, const float* bias_or_null, float* c, index_t M, index_t N,
                                  index_t K, index_t a_step, index_t b_step, int a_transposed, int b_transposed) {
    multiply(a, b, bias_or_null, c, M, N, K, a_step, b_step, a_transposed, b_transposed);
}

extern "C" __global__ void matmul_half(const Half* a, const Half* b, const Half* bias_or_null, Half* c, index_t M, index_t N,
                                       index_t K, index_t a_step, index_t b_step, int a_transposed, int b_transposed) {
    multiply(a, b, bias_or_null, c, M, N, K, a_step, b_step, a_transposed, b_transposed);
}

extern "C" __global__ void matmul_bfloat(const Bfloat* a, const Bfloat* b, const Bfloat* bias_or_null, Bfloat* c, index_t M,
                                         index_t N, index_t K, index_t a_step, index_t b_step, int a_transposed,
                                         int b_transposed) {
    multiply(a, b, bias_or_null, c, M, N, K, a_step, b_step, a_transposed, b_transposed);
}

// The second axis of the grid counts (part,) group and tile of rows; `tiles` are those of a group.
extern "C" __global__ void conv2d(const float* x, const float* weight, const float* bias_or_null, float* y, index_t images,
                                  int C, int H, int W, int O, int OH, int OW, int kh, int kw, int sh, int sw, int top,
                                  int left, int dh, int dw, int groups) {
    int tiles = (O + TILE - 1) / TILE, group = blockIdx.y / tiles;
    Window w = {C, H, W, O, OH, OW, kh, kw, sh, sw, top, left, dh, dw, groups, group};
    index_t inner = (index_t)C * kh * kw;
    Forward p = {x, weight, bias_or_null, y, w, inner, x, 0, 0};
    make_tile(p, O, images * OH * OW, (index_t)(blockIdx.y % tiles) * TILE, (index_t)blockIdx.x * TILE, 0, inner);
}

extern "C" __global__ void conv2d_input(const float* dy, const float* weight, const float* bias_or_null, float* dx,
                                        index_t images, int C, int H, int W, int O, int OH, int OW, int kh, int kw, int sh,
                                        int sw, int top, int left, int dh, int dw, int groups) {
    int tiles = (C + TILE - 1) / TILE, group = blockIdx.y / tiles;
    Window w = {C, H, W, O, OH, OW, kh, kw, sh, sw, top, left, dh, dw, groups, group};
    Input p = {dy, weight, bias_or_null, dx, w, dy, 0, 0};
    index_t inner = (index_t)O * kh * kw;
    make_tile(p, C, images * H * W, (index_t)(blockIdx.y % tiles) * TILE, (index_t)blockIdx.x * TILE, 0, inner);
}

extern "C" __global__ void conv2d_weight(const float* x, const float* dy, float* parts, index_t images, int C, int H, int W,
                                         int O, int OH, int OW, int kh, int kw, int sh, int sw, int top, int left, int dh,
                                         int dw, int groups, index_t share) {
    int tiles = (O + TILE - 1) / TILE, group = blockIdx.y / tiles % groups;
    index_t part = blockIdx.y / tiles / groups, columns = (index_t)C * kh * kw, all = images * OH * OW;
    Window w = {C, H, W, O, OH, OW, kh, kw, sh, sw, top, left, dh, dw, groups, group};
    Weight p = {x, dy, parts + part * groups * O * columns, w, columns, x, 0, 0};
    index_t last = (part + 1) * share < all ? (part + 1) * share : all;
    make_tile(p, O, columns, (index_t)(blockIdx.y % tiles) * TILE, (index_t)blockIdx.x * TILE, part * share, last);
}
