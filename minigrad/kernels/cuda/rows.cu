// Softmax, its logarithm, cross-entropy, layer norm and RMS norm: a block works on one row of n entries, blockIdx.x.
// Formulas: common_nn.py, ops/nn.py and ops/loss.py. All of them wait for memory, so what counts is how often a row is
// read: the largest entry and the sum of exponentials are found in one pass (arXiv:1805.02867), not in two.

struct Exponentials { float top, sum; };  // sum of exp(x - top), top the largest entry

// When a larger entry appears, what was summed is scaled to it. exp(v - v) is 1, but nan for an infinite v, as it should.
__device__ __forceinline__ Exponentials exponentials(const float* x, index_t n) {
    Exponentials own = {lowest(), 0.0f};
    for (index_t i = threadIdx.x; i < n; i += BLOCK) {
        float v = x[i];
        if (v > own.top) {
            own.sum = own.sum * expf(own.top - v) + expf(v - v);
            own.top = v;
        } else {
            own.sum += expf(v - own.top);
        }
    }
    float top = block_max(own.top);
    return {top, block_sum(own.sum * expf(own.top - top))};
}

extern "C" __global__ void softmax(const float* x, float* y, index_t n) {
    x += blockIdx.x * n, y += blockIdx.x * n;
    Exponentials e = exponentials(x, n);
    for (index_t i = threadIdx.x; i < n; i += BLOCK) y[i] = expf(x[i] - e.top) / e.sum;
}

extern "C" __global__ void log_softmax(const float* x, float* y, index_t n) {
    x += blockIdx.x * n, y += blockIdx.x * n;
    Exponentials e = exponentials(x, n);
    float log_sum = logf(e.sum);
    for (index_t i = threadIdx.x; i < n; i += BLOCK) y[i] = x[i] - e.top - log_sum;
}

extern "C" __global__ void softmax_backward(const float* dy, const float* y, float* dx, index_t n) {
    dy += blockIdx.x * n, y += blockIdx.x * n, dx += blockIdx.x * n;
    float own = 0.0f;
    for (index_t i = threadIdx.x; i < n; i += BLOCK) own += dy[i] * y[i];
    float total = block_sum(own);
    for (index_t i = threadIdx.x; i < n; i += BLOCK) dx[i] = y[i] * (dy[i] - total);
}

extern "C" __global__ void log_softmax_backward(const float* dy, const float* y, float* dx, index_t n) {
    dy += blockIdx.x * n, y += blockIdx.x * n, dx += blockIdx.x * n;
    float own = 0.0f;
    for (index_t i = threadIdx.x; i < n; i += BLOCK) own += dy[i];
    float total = block_sum(own);
    for (index_t i = threadIdx.x; i < n; i += BLOCK) dx[i] = dy[i] - expf(y[i]) * total;
}

// loss = (1 - e) (lse - x[label]) + e (lse - mean x), lse = log sum exp x, e the smoothing; 0 where the label is ignored.
extern "C" __global__ void cross_entropy_fwd(const float* x, const index_t* labels, float* loss, float* lse, index_t n,
                                             index_t ignored, float smoothing) {
    x += blockIdx.x * n;
    Exponentials e = exponentials(x, n);
    float own = 0.0f;
    if (smoothing > 0.0f)
        for (index_t i = threadIdx.x; i < n; i += BLOCK) own += x[i];
    float mean = block_sum(own) / n;
    if (threadIdx.x == 0) {
        index_t label = labels[blockIdx.x];
        float log_sum = e.top + logf(e.sum);
        lse[blockIdx.x] = log_sum;
        float value = 0.0f;
        bool outside = label < 0 || label >= n;  // nan: the host has not looked, and there is nothing to read
        float at_label = outside ? __int_as_float(0x7fc00000) : x[label];
        if (label != ignored) value = (1.0f - smoothing) * (log_sum - at_label);
        if (label != ignored && smoothing > 0.0f) value += smoothing * (log_sum - mean);
        loss[blockIdx.x] = value;
    }
}

extern "C" __global__ void cross_entropy_bwd(const float* dloss, const float* x, const index_t* labels, const float* lse,
                                             float* dx, index_t n, index_t ignored, float smoothing) {
    x += blockIdx.x * n, dx += blockIdx.x * n;
    index_t label = labels[blockIdx.x];
    float factor = dloss[blockIdx.x], log_sum = lse[blockIdx.x], everywhere = smoothing / n;
    for (index_t i = threadIdx.x; i < n; i += BLOCK) {
        float p = expf(x[i] - log_sum) - everywhere - (i == label ? 1.0f - smoothing : 0.0f);
        dx[i] = label == ignored ? 0.0f : factor * p;
    }
}

// y = (x - mean) rstd weight + bias, rstd = 1 / sqrt(mean (x - mean)^2 + eps). Without an array for the means: RMS norm,
// mean = 0. The deviations are squared after the mean is known: mean(x^2) - mean^2 would cancel.
extern "C" __global__ void norm_fwd(const float* x, const float* weight_or_null, const float* bias_or_null, float* y,
                                    float* mean_or_null, float* rstd, index_t n, float eps) {
    x += blockIdx.x * n, y += blockIdx.x * n;
    float mean = 0.0f;
    if (mean_or_null) {
        float own = 0.0f;
        for (index_t i = threadIdx.x; i < n; i += BLOCK) own += x[i];
        mean = block_sum(own) / n;
    }
    float own = 0.0f;
    for (index_t i = threadIdx.x; i < n; i += BLOCK) own += (x[i] - mean) * (x[i] - mean);
    float r = 1.0f / sqrtf(block_sum(own) / n + eps);
    for (index_t i = threadIdx.x; i < n; i += BLOCK) {
        float h = (x[i] - mean) * r;
        if (weight_or_null) h *= weight_or_null[i];
        y[i] = bias_or_null ? h + bias_or_null[i] : h;
    }
    if (threadIdx.x == 0) {
        rstd[blockIdx.x] = r;
        if (mean_or_null) mean_or_null[blockIdx.x] = mean;
    }
}

// dx = r (g - mean g - h mean(g h)) with g = dy weight, h = (x - mean) r; RMS norm has no mean g.
extern "C" __global__ void norm_bwd(const float* dy, const float* x, const float* weight_or_null,
                                    const float* mean_or_null, const float* rstd, float* dx, index_t n) {
    dy += blockIdx.x * n, x += blockIdx.x * n, dx += blockIdx.x * n;
    float mean = mean_or_null ? mean_or_null[blockIdx.x] : 0.0f, r = rstd[blockIdx.x];
    float own = 0.0f, own_along = 0.0f;
    for (index_t i = threadIdx.x; i < n; i += BLOCK) {
        float g = weight_or_null ? dy[i] * weight_or_null[i] : dy[i];
        own += g;
        own_along += g * (x[i] - mean) * r;
    }
    float shift = mean_or_null ? block_sum(own) / n : 0.0f, along = block_sum(own_along) / n;
    for (index_t i = threadIdx.x; i < n; i += BLOCK) {
        float g = weight_or_null ? dy[i] * weight_or_null[i] : dy[i];
        dx[i] = r * (g - shift - (x[i] - mean) * r * along);
    }
}

// The sums over rows of dy h and dy, for the gradients of weight and bias: a thread owns a column, blockIdx.y is a chunk
// of rows. The chunks' sums are added afterwards, in order: atomics would add them in another order each run.
extern "C" __global__ void norm_columns(const float* dy, const float* x, const float* mean_or_null, const float* rstd,
                                        float* dweight, float* dbias, index_t rows, index_t n, index_t chunk) {
    index_t column = (index_t)blockIdx.x * BLOCK + threadIdx.x, first = blockIdx.y * chunk;
    if (column >= n) return;
    float along = 0.0f, plain = 0.0f;
    for (index_t row = first; row < rows && row < first + chunk; row++) {
        float g = dy[row * n + column], mean = mean_or_null ? mean_or_null[row] : 0.0f;
        along += g * (x[row * n + column] - mean) * rstd[row];
        plain += g;
    }
    dweight[blockIdx.y * n + column] = along;
    dbias[blockIdx.y * n + column] = plain;
}
