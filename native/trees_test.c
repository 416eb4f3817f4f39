/*
 * Random rows and trees, valid and broken, on arrays of exactly the size that a call says: under the address and
 * undefined-behaviour sanitizers every access outside of them ends the program, under the thread sanitizer every race.
 * All machines and numbers of threads must agree; that they agree with the portable trainer is tested in TypeScript.
 */
#include "trees.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 60, MOST = (2 << 5) - 1 };

static uint64_t seed = 88172645463325252u;

/* xorshift64: 0 … n-1. */
static int32_t below(int32_t n) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (int32_t)(seed % (uint64_t)n);
}

static int failures, refused, accepted;

static void expect(int condition, const char *what, int32_t round) {
  if (condition) return;
  printf("round %d: %s\n", round, what);
  failures++;
}

static void *take(size_t size) {
  void *memory = calloc(size > 0 ? size : 1, 1);
  if (memory == NULL) abort();
  return memory;
}

static void grow(int32_t round, int32_t kernels) {
  int32_t rows = 1 + below(400), features = 1 + below(20), stride = features + below(3), depth = 1 + below(5);
  uint8_t *bins = take((size_t)rows * (size_t)stride);
  int32_t *cuts = take((size_t)features * 4), *columns = take((size_t)features * 4), count = 0;
  int8_t *monotone = take((size_t)features);
  int constrained = below(3) == 0;
  for (int32_t f = 0; f < features; f++) {
    cuts[f] = below(3) ? below(20) : below(254);
    monotone[f] = (int8_t)(constrained ? below(3) - 1 : 0);
    if (count == 0 || below(3)) columns[count++] = f;
    for (int32_t row = 0; row < rows; row++) {
      bins[(size_t)row * (size_t)stride + (size_t)f] = (uint8_t)(below(9) ? below(cuts[f] + 1) : MISSING_BIN);
    }
  }
  struct pair *pairs = take((size_t)rows * sizeof *pairs);
  double *scores = take((size_t)rows * 8), *labels = take((size_t)rows * 8), *weights = take((size_t)rows * 8);
  for (int32_t row = 0; row < rows; row++) {
    scores[row] = below(4000) / 100.0 - 20;
    labels[row] = below(2);
    weights[row] = below(5) / 2.0;
  }
  expect(penstock_logistic_gradients(0, scores, labels, weights, pairs, rows) == 0, "gradients are refused", round);
  int32_t *chosen = take((size_t)rows * 4), chosen_count = 0;
  for (int32_t row = 0; row < rows; row++) {
    if (row == 0 || below(4)) chosen[chosen_count++] = row;
  }
  int32_t most = (2 << depth) - 1;
  struct penalties penalties = {below(3), below(2) / 2.0, below(2) / 4.0, 0.01 + below(3)};
  int32_t *first_ints = NULL, *first_leaves = NULL;
  double *first_doubles = NULL;
  for (int32_t k = 0; k < KERNELS; k++) {
    if (!(kernels >> k & 1)) continue;
    for (int32_t threads = 1; threads <= 5; threads += 2) {
      struct growth call = {TREES_ABI, k, rows, stride, features, chosen_count, count, depth, threads, constrained, 0};
      int32_t *ints = take(4 * (size_t)most * 4), *leaves = take((size_t)rows * 4);
      double *doubles = take(3 * (size_t)most * 8);
      int32_t *own = take((size_t)chosen_count * 4);
      memcpy(own, chosen, (size_t)chosen_count * 4);
      int32_t error = penstock_grow(&call, &penalties, bins, cuts, monotone, pairs, own, columns, leaves, ints, doubles);
      expect(error == 0 && call.nodes >= 1 && call.nodes <= most, "a valid call is refused", round);
      if (first_ints == NULL) {
        first_ints = ints, first_doubles = doubles, first_leaves = leaves;
      } else {
        expect(memcmp(ints, first_ints, 4 * (size_t)most * 4) == 0, "trees differ", round);
        expect(memcmp(doubles, first_doubles, 3 * (size_t)most * 8) == 0, "sums differ", round);
        expect(memcmp(leaves, first_leaves, (size_t)rows * 4) == 0, "leaves differ", round);
        free(ints), free(doubles), free(leaves);
      }
      free(own);
    }
  }
  /* One broken number: it is refused, or it does no harm. */
  for (int32_t attempt = 0; attempt < 10; attempt++) {
    static const int32_t odd[] = {-1, 0, 1, 13, 1 << 20, INT32_MAX, INT32_MIN};
    struct growth call = {TREES_ABI, 0, rows, stride, features, chosen_count, count, depth, 1, constrained, 0};
    int32_t *own = take((size_t)chosen_count * 4), *ints = take(4 * (size_t)most * 4), *leaves = take((size_t)rows * 4);
    double *doubles = take(3 * (size_t)most * 8);
    memcpy(own, chosen, (size_t)chosen_count * 4);
    int32_t *fields[] = {&own[below(chosen_count)], &columns[below(count)], &cuts[below(features)], &call.kernel,
                         &call.threads};
    int32_t *field = fields[below(5)], before = *field;
    *field = odd[below(7)];
    int32_t error = penstock_grow(&call, &penalties, bins, cuts, monotone, pairs, own, columns, leaves, ints, doubles);
    *(error == 0 ? &accepted : &refused) += 1;
    *field = before;
    free(own), free(ints), free(leaves), free(doubles);
  }
  free(first_ints), free(first_doubles), free(first_leaves);
  free(bins), free(cuts), free(columns), free(monotone), free(pairs), free(chosen);
  free(scores), free(labels), free(weights);
}

static void walk(int32_t round, int32_t kernels) {
  int32_t trees = below(50), features = 1 + below(12), rows = below(80), total = 0;
  static float thresholds[50 * MOST + PADDING], values[50 * MOST + PADDING];
  static uint32_t links[50 * MOST + PADDING];
  static int32_t roots[50], depths[50];
  for (int32_t tree = 0; tree < trees; tree++) {
    int32_t nodes = 1, level[MOST] = {0}, splits = below(MOST / 2);
    roots[tree] = total;
    depths[tree] = 0;
    for (int32_t node = 0; node < nodes; node++) {
      int splits_here = splits > 0 && nodes + 2 <= MOST && (node == 0 || below(3));
      values[total + node] = below(200) / 100.0f - 1;
      thresholds[total + node] = splits_here ? below(40) / 10.0f - 2 : INFINITY;
      links[total + node] = (uint32_t)(splits_here ? nodes : node) | (uint32_t)below(2 * features) << 16;
      if (!splits_here) continue;
      splits--;
      level[nodes] = level[nodes + 1] = level[node] + 1;
      if (level[nodes] > depths[tree]) depths[tree] = level[nodes];
      nodes += 2;
    }
    total += nodes;
  }
  size_t size = (size_t)(total + PADDING);
  float *own_thresholds = take(size * 4), *own_values = take(size * 4);
  uint32_t *own_links = take(size * 4);
  memcpy(own_thresholds, thresholds, (size_t)total * 4);
  memcpy(own_values, values, (size_t)total * 4);
  memcpy(own_links, links, (size_t)total * 4);
  float *x = take((size_t)rows * (size_t)features * 4);
  static const float nasty[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-45f};
  for (int32_t i = 0; i < rows * features; i++) x[i] = below(5) ? below(50) / 10.0f - 2.5f : nasty[below(6)];
  struct walk call = {TREES_ABI, 0, total + PADDING, trees, features, rows};
  expect(penstock_check_nodes(&call, own_thresholds, own_links, roots, depths) == 0, "valid nodes are refused", round);
  double *first = NULL;
  for (int32_t k = 0; k < KERNELS; k++) {
    if (!(kernels >> k & 1)) continue;
    call.kernel = k;
    double *scores = take((size_t)rows * 8);
    expect(penstock_walk(&call, own_thresholds, own_links, own_values, roots, depths, x, scores) == 0, "a walk", round);
    if (first == NULL) first = scores;
    else {
      expect(memcmp(scores, first, (size_t)rows * 8) == 0, "walks differ", round);
      free(scores);
    }
  }
  /* Broken nodes are refused, or walking them does no harm. */
  for (int32_t attempt = 0; attempt < 20 && total > 0; attempt++) {
    int32_t at = below(total);
    uint32_t link = own_links[at];
    float threshold = own_thresholds[at];
    if (below(2)) own_links[at] = (uint32_t)below(1 << 12) | (uint32_t)below(30) << 16;
    else own_thresholds[at] = below(2) ? INFINITY : 0;
    if (penstock_check_nodes(&call, own_thresholds, own_links, roots, depths) == 0) {
      penstock_walk(&call, own_thresholds, own_links, own_values, roots, depths, x, first);
      accepted++;
    } else refused++;
    own_links[at] = link;
    own_thresholds[at] = threshold;
  }
  free(first), free(x), free(own_thresholds), free(own_values), free(own_links);
}

int main(void) {
  int32_t kernels = penstock_kernels();
  expect(penstock_trees() == TREES_ABI, "the ABI is not told", -1);
  for (int32_t round = 0; round < ROUNDS; round++) {
    grow(round, kernels);
    walk(round, kernels);
  }
  printf("C tests of trees: %d rounds, %d broken ones refused, %d harmless, %d failures\n", ROUNDS, refused, accepted,
         failures);
  return failures == 0 ? 0 : 1;
}
