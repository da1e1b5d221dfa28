// Enough of CUDA to run a kernel on a CPU: every thread of a block is a fiber, run until it waits for others. The order
// of the fibers is drawn anew for each block, so that what a kernel forgets to wait for shows as a wrong result.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static

static float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

static int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float cospif(float x) { return (float)std::cos(M_PI * x); }
static float sinpif(float x) { return (float)std::sin(M_PI * x); }

struct Dim { unsigned x, y, z; };
static Dim threadIdx, blockIdx, blockDim, gridDim;

struct Barrier { unsigned alive = 0, arrived = 0, generation = 0; };
struct Fiber { ucontext_t context; bool done; };
static std::vector<Fiber> fibers(1024);
static std::vector<std::vector<char>> stacks(1024, std::vector<char>(1 << 16));
static Barrier whole_block, of_warp[32];
static ucontext_t scheduler;
static const std::function<void()>* body;
static float slots[1024];
static bool moved;

static void release_if_full(Barrier& b) {
    if (b.arrived && b.arrived == b.alive) b.arrived = 0, b.generation++, moved = true;
}

static void wait_at(Barrier& b) {
    unsigned me = threadIdx.x, generation = b.generation;
    b.arrived++;
    release_if_full(b);
    while (b.generation == generation) {
        swapcontext(&fibers[me].context, &scheduler);
    }
}

static void __syncthreads() { wait_at(whole_block); }

static float exchanged(float v, unsigned from) {
    unsigned warp = threadIdx.x / 32;
    slots[threadIdx.x] = v;
    wait_at(of_warp[warp]);
    float got = slots[warp * 32 + from];
    wait_at(of_warp[warp]);
    return got;
}

static float __shfl_xor_sync(unsigned, float v, int step) { return exchanged(v, (threadIdx.x % 32) ^ step); }
static float __shfl_sync(unsigned, float v, int lane) { return exchanged(v, lane); }

static void run_fiber() {
    unsigned me = threadIdx.x;
    (*body)();
    threadIdx.x = me;
    fibers[me].done = true;
    whole_block.alive--, of_warp[me / 32].alive--;
    release_if_full(whole_block), release_if_full(of_warp[me / 32]);
    moved = true;
    swapcontext(&fibers[me].context, &scheduler);
}

static void run_block(std::mt19937& order_of) {
    unsigned n = blockDim.x;
    whole_block = {n, 0, 0};
    for (unsigned w = 0; w < n / 32; w++) of_warp[w] = {32, 0, 0};
    for (unsigned i = 0; i < n; i++) {
        getcontext(&fibers[i].context);
        fibers[i].context.uc_stack.ss_sp = stacks[i].data();
        fibers[i].context.uc_stack.ss_size = stacks[i].size();
        fibers[i].context.uc_link = &scheduler;
        fibers[i].done = false;
        makecontext(&fibers[i].context, run_fiber, 0);
    }
    std::vector<unsigned> order(n);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), order_of);
    for (unsigned left = n; left > 0;) {
        moved = false;
        for (unsigned i : order) {
            if (fibers[i].done) continue;
            threadIdx.x = i;
            swapcontext(&scheduler, &fibers[i].context);
            left -= fibers[i].done;
        }
        if (!moved) std::fprintf(stderr, "the threads of a block wait for each other for ever\n"), std::abort();
    }
}

static void run_grid(unsigned x, unsigned y, unsigned threads, const std::function<void()>& kernel) {
    static std::mt19937 order_of(0);
    gridDim = {x, y, 1}, blockDim = {threads, 1, 1}, body = &kernel;
    for (unsigned by = 0; by < y; by++)
        for (unsigned bx = 0; bx < x; bx++) blockIdx = {bx, by, 0}, run_block(order_of);
}
