/*
 * The doors to growers and walkers: everything that could lead outside of the given arrays is checked here.
 */
#include "trees.h"

#include <stddef.h>

_Static_assert(sizeof(struct pair) == 16, "no padding");

static grower *const GROWER_OF[KERNELS] = {grow_sse2, grow_avx2, grow_avx512};
static gradients *const GRADIENTS_OF[KERNELS] = {gradients_sse2, gradients_avx2, gradients_avx512};
static walker *const WALKER_OF[KERNELS] = {walk_sse2, walk_avx2, walk_avx512};

int32_t penstock_trees(void) { return TREES_ABI; }

static int runs(int32_t kernel) {
  return kernel >= 0 && kernel < KERNELS && (penstock_kernels() >> kernel & 1);
}

static int misaligned(const void *p, size_t size) { return (uintptr_t)p % size != 0; }

/* Whether numbers ascend and lie below a limit. */
static int ascend(const int32_t *numbers, int32_t count, int32_t limit) {
  int32_t before = -1;
  for (int32_t i = 0; i < count; i++) {
    if (numbers[i] <= before) return 0;
    before = numbers[i];
  }
  return before < limit;
}

int32_t penstock_grow(struct growth *call, const struct penalties *penalties, const uint8_t *bins, const int32_t *cuts,
                      const int8_t *monotone, const struct pair *pairs, int32_t *chosen, const int32_t *columns,
                      int32_t *leaves, int32_t *ints, double *doubles) {
  if (misaligned(call, 4) || misaligned(penalties, 8) || misaligned(cuts, 4) || misaligned(pairs, 8) ||
      misaligned(chosen, 4) || misaligned(columns, 4) || misaligned(leaves, 4) || misaligned(ints, 4) ||
      misaligned(doubles, 8)) {
    return MISALIGNED;
  }
  if (call->abi != TREES_ABI) return WRONG_ABI;
  if (!runs(call->kernel)) return WRONG_KERNEL;
  if (call->rows < 1 || call->features < 1 || call->stride < call->features || call->chosen < 1 ||
      call->columns < 1 || call->depth < 1 || call->depth > MOST_DEPTH || call->threads < 1 ||
      call->threads > MOST_THREADS) {
    return WRONG_LENGTH;
  }
  if (!ascend(chosen, call->chosen, call->rows) || !ascend(columns, call->columns, call->features)) return WRONG_INDEX;
  for (int32_t i = 0; i < call->features; i++) {
    if (cuts[i] < 0 || cuts[i] >= MISSING_BIN - 1) return WRONG_INDEX;
  }
  int32_t most = (2 << call->depth) - 1;
  struct growth_input input = {call, penalties, bins, cuts, monotone, pairs, chosen, columns, leaves};
  struct tree tree = {ints,    ints + most,    ints + 2 * most,    ints + 3 * most,
                      doubles, doubles + most, doubles + 2 * most};
  return GROWER_OF[call->kernel](&input, &tree, &call->nodes);
}

int32_t penstock_logistic_gradients(int32_t kernel, const double *scores, const double *labels, const double *weights,
                                    struct pair *out, int32_t rows) {
  if (misaligned(scores, 8) || misaligned(labels, 8) || misaligned(weights, 8) || misaligned(out, 8)) return MISALIGNED;
  if (!runs(kernel)) return WRONG_KERNEL;
  if (rows < 0) return WRONG_LENGTH;
  GRADIENTS_OF[kernel](scores, labels, weights, out, rows);
  return 0;
}

static int walk_fits(const struct walk *call) {
  return call->nodes >= PADDING && call->trees >= 0 && call->features >= 1 && call->features <= INT16_MAX && call->rows >= 0;
}

int32_t penstock_check_nodes(const struct walk *call, const float *thresholds, const uint32_t *links,
                             const int32_t *roots, const int32_t *depths) {
  if (call->abi != TREES_ABI) return WRONG_ABI;
  if (!walk_fits(call)) return WRONG_LENGTH;
  /* Walkers may ask about what lies behind a tree, though never believe it. */
  for (int32_t i = call->nodes - PADDING; i < call->nodes; i++) {
    if (links[i] != 0) return WRONG_INDEX;
  }
  for (int32_t tree = 0; tree < call->trees; tree++) {
    int32_t root = roots[tree], end = tree + 1 < call->trees ? roots[tree + 1] : call->nodes - PADDING;
    if (root < 0 || root >= end || end > call->nodes - PADDING || depths[tree] < 0 || end - root > UINT16_MAX) {
      return WRONG_INDEX;
    }
    for (int32_t i = 0; i < end - root; i++) {
      int32_t left = links[root + i] & 0xffff, feature = links[root + i] >> 16;
      if (feature >= 2 * call->features) return WRONG_INDEX;
      /* A leaf cannot go right; a split's right child has to exist. */
      int leaf = left == i && thresholds[root + i] == __builtin_inff();
      if (!leaf && (left <= i || left + 1 >= end - root)) return WRONG_INDEX;
    }
  }
  return 0;
}

int32_t penstock_walk(const struct walk *call, const float *thresholds, const uint32_t *links, const float *values,
                      const int32_t *roots, const int32_t *depths, const float *rows, double *scores) {
  if (misaligned(call, 4) || misaligned(thresholds, 4) || misaligned(links, 4) || misaligned(values, 4) ||
      misaligned(roots, 4) || misaligned(depths, 4) || misaligned(rows, 4) || misaligned(scores, 8)) {
    return MISALIGNED;
  }
  if (call->abi != TREES_ABI) return WRONG_ABI;
  if (!runs(call->kernel)) return WRONG_KERNEL;
  if (!walk_fits(call)) return WRONG_LENGTH;
  struct walk_input input = {call, thresholds, links, values, roots, depths, rows, scores};
  return call->rows == 0 ? 0 : WALKER_OF[call->kernel](&input);
}

int32_t penstock_bin(const struct growth *call, const float *rows, const float *cuts, uint8_t *bins) {
  if (misaligned(call, 4) || misaligned(rows, 4) || misaligned(cuts, 4)) return MISALIGNED;
  if (call->abi != TREES_ABI) return WRONG_ABI;
  if (call->rows < 0 || call->features < 1 || call->stride < call->features) return WRONG_LENGTH;
  for (int32_t row = 0; row < call->rows; row++) {
    const float *values = rows + (size_t)row * call->features;
    uint8_t *out = bins + (size_t)row * call->stride;
    for (int32_t feature = 0; feature < call->features; feature++) {
      const float *bounds = cuts + (size_t)feature * MISSING_BIN;
      float x = values[feature];
      /* How many of 255 bounds lie below x, in eight halvings without a branch. */
      int32_t below = 0;
      for (int32_t half = 128; half > 0; half /= 2) below += x > bounds[below + half - 1] ? half : 0;
      out[feature] = x != x ? MISSING_BIN : (uint8_t)below;
    }
  }
  return 0;
}
