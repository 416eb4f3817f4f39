/*
 * What src/native.ts and the growers and walkers of trees agree on. The TypeScript twins are src/models/trees/grow.ts
 * and src/models/trees/walk.ts; the two meet in TREES_ABI, which counts up with every change of a layout here.
 */
#ifndef TREES_H
#define TREES_H

#include <stdint.h>

#include "penstock.h"

enum { TREES_ABI = 1, MISSING_BIN = 255, BINS = 256, MOST_DEPTH = 12, MOST_THREADS = 64 };

/* Errors of the functions below besides those of penstock.h; counts are not negative. */
enum { NO_MEMORY = 6, WRONG_INDEX };

struct growth {
  int32_t abi;
  int32_t kernel;
  int32_t rows;
  /* Bytes from one row of bins to the next, and the features among them. */
  int32_t stride;
  int32_t features;
  /* Rows to grow from, and features to split on. */
  int32_t chosen;
  int32_t columns;
  int32_t depth;
  int32_t threads;
  /* Whether any feature is monotone. */
  int32_t constrained;
  /* Set by the grower. */
  int32_t nodes;
};

struct penalties {
  double lambda, alpha, gamma, min_child_weight;
};

struct pair {
  double gradient, hessian;
};

/* Node arrays of a tree, room for 2^(depth + 1) - 1 each, one behind the other in two arrays of the caller. */
struct tree {
  int32_t *feature, *bin, *missing_left, *left;
  double *gain, *cover, *weight;
};

struct growth_input {
  const struct growth *call;
  const struct penalties *penalties;
  const uint8_t *bins;
  /* Cuts per feature. */
  const int32_t *cuts;
  const int8_t *monotone;
  const struct pair *pairs;
  int32_t *chosen;
  const int32_t *columns;
  int32_t *leaves;
};

/*
 * Trees to walk lie one behind the other, each in breadth-first order: a node of level k is among the first
 * 2^(k + 1) - 1. A node is a threshold and, in 32 bits, its left child within the tree and above it the feature: its
 * place in a row of twice the features, where missing values are -infinity in the first half and +infinity in the
 * second. Leaves lead to themselves: every x is at most infinity.
 */
enum { PADDING = 64 };

struct walk {
  int32_t abi;
  int32_t kernel;
  /* PADDING more than there are, which may be read but are never reached. */
  int32_t nodes;
  int32_t trees;
  int32_t features;
  int32_t rows;
};

struct walk_input {
  const struct walk *call;
  const float *thresholds;
  const uint32_t *links;
  const float *values;
  /* First node and depth of each tree. */
  const int32_t *roots, *depths;
  const float *rows;
  /* Per row the base on entry, base and leaves on return. */
  double *scores;
};

/* Everything has been checked. @returns 0 or NO_MEMORY. */
typedef int32_t grower(const struct growth_input *, struct tree *, int32_t *nodes);
typedef void gradients(const double *scores, const double *labels, const double *weights, struct pair *out, int32_t n);
typedef int32_t walker(const struct walk_input *);

grower grow_sse2, grow_avx2, grow_avx512;
gradients gradients_sse2, gradients_avx2, gradients_avx512;
walker walk_sse2, walk_avx2, walk_avx512;

/* TREES_ABI. */
EXPORT int32_t penstock_trees(void);

/*
 * Grows one tree. `ints` takes feature, bin, missing_left and left, `doubles` gain, cover and weight.
 */
EXPORT int32_t penstock_grow(struct growth *, const struct penalties *, const uint8_t *bins, const int32_t *cuts,
                             const int8_t *monotone, const struct pair *pairs, int32_t *chosen, const int32_t *columns,
                             int32_t *leaves, int32_t *ints, double *doubles);

EXPORT int32_t penstock_logistic_gradients(int32_t kernel, const double *scores, const double *labels,
                                           const double *weights, struct pair *out, int32_t rows);

/* Checks once what penstock_walk trusts: the nodes of an ensemble. */
EXPORT int32_t penstock_check_nodes(const struct walk *, const float *thresholds, const uint32_t *links,
                                    const int32_t *roots, const int32_t *depths);

/* Adds the leaves of every row to its score, in the order of the trees. */
EXPORT int32_t penstock_walk(const struct walk *, const float *thresholds, const uint32_t *links, const float *values,
                             const int32_t *roots, const int32_t *depths, const float *rows, double *scores);

/* The bins of row-major values; see binRows of src/models/trees/bins.ts. `cuts` has 255 per feature, infinity behind. */
EXPORT int32_t penstock_bin(const struct growth *, const float *rows, const float *cuts, uint8_t *bins);

#endif
