/*
 * What src/native.ts and the kernels agree on. Every number here has its twin there or in src/indicators/plan.ts; the
 * two meet in PENSTOCK_ABI, which counts up with every change, and tests compare all results with the portable kernel.
 */
#ifndef PENSTOCK_H
#define PENSTOCK_H

#include <stdint.h>

enum { PENSTOCK_ABI = 3, TABLE_VERSION = 3 };

enum { LANES = 8, BAR = 5 * LANES };

/*
 * State and outputs lie in blocks of four groups, padded to whole blocks: row after row, and in a row the four groups
 * side by side. What one bar touches of a row are then four neighbouring lines of the cache at fixed distances.
 */
enum { BLOCK = 4, ROW = BLOCK * LANES };

static inline int64_t blocks_of(int64_t groups) { return (groups + BLOCK - 1) / BLOCK; }

/* The kernels, in the order of their bits in penstock_kernels(). */
enum { SSE2, AVX2, AVX512, KERNELS };

/* Fields of a call, all 32-bit: lengths are in elements of the arrays they belong to. */
struct call {
  int32_t abi;
  int32_t kernel;
  int32_t table_length;
  int32_t numbers_length;
  int32_t bars_length;
  int32_t state_length;
  int32_t out_length;
  /* Bar i of group g begins at offset + g * stride + i * BAR. */
  int32_t offset;
  int32_t stride;
  int32_t groups;
  int32_t count;
  /* Outputs of consecutive bars are this far apart; 0 keeps the last bar's only. */
  int32_t each;
};

/* Errors of penstock_run; 0 is success. */
enum { WRONG_ABI = 1, WRONG_KERNEL, WRONG_TABLE, WRONG_LENGTH, MISALIGNED };

enum { HEADER = 8, WINDOW = 4, STEP = 8, NUMBERS = 4 };

struct header {
  int32_t version, windows, steps, state_rows, output_rows, result_rows, zero[2];
};

struct window {
  int32_t source, period, rings, result;
};

struct step {
  int32_t kind, period, second, third, state, output, first_window, second_window;
};

struct numbers {
  double deviations, weight, second_weight, third_weight;
};

enum { SOURCE_CLOSE, SOURCE_VOLUME, SOURCE_HIGH, SOURCE_LOW, SOURCE_TURNOVER, SOURCES };

enum {
  EMA, SMA, RSI, ATR, ADX, BOLLINGER, VOLUME_RATIO, TRUE_RANGE, MACD, STOCHASTIC, HIGHEST, LOWEST, STANDARD_DEVIATION,
  VOLUME_AVERAGE, OBV, VWAP, KINDS
};

/* Common rows of the state. */
enum { SEEN, LAST_CLOSE, LAST_HIGH, LAST_LOW, COMMON_ROWS };

/* Results of windows live for one bar, and outside of the state. */
enum { MAX_RESULT_ROWS = 128 };

/* The length of a ring that is read at `lag`: the next power of two, or none for no lag. */
static inline int32_t ring_length(int32_t lag) { return lag <= 1 ? lag : 1 << (32 - __builtin_clz((unsigned)lag - 1)); }

/* The largest power of two in n. */
static inline int32_t largest_block(int32_t n) { return 1 << (31 - __builtin_clz((unsigned)n)); }

/* The rows of all rings of a window, of 1, 2, 4 … rows below the largest power of two in n, and of that itself. */
static inline int32_t ring_rows(int32_t n) { return largest_block(n) - 1 + ring_length(n - largest_block(n)); }

/* The bars of a lane after which nothing of what its rings held before is left in them. */
static inline int64_t ring_reach(int32_t n) { return 2 * (int64_t)largest_block(n); }

/* A plan that has been checked. */
struct plan {
  struct header header;
  const struct window *windows;
  const struct step *steps;
  const struct numbers *numbers;
  /* 1 / period of each window. */
  const double *window_weights;
  /* The bars of a lane that its windows, and what is made of them, depend on. */
  int64_t reach;
};

/* One kernel: all bars of all groups. Everything has been checked. */
typedef void kernel(const struct plan *, const struct call *, const double *bars, double *state, double *out);

kernel penstock_sse2, penstock_avx2, penstock_avx512;

#define EXPORT __attribute__((visibility("default")))

/* PENSTOCK_ABI << 8, and a bit for each kernel that this processor can run. */
EXPORT int32_t penstock_kernels(void);

EXPORT int32_t penstock_run(const struct call *, const int32_t *table, const double *numbers, const double *bars,
                            double *state, double *out);

#endif
