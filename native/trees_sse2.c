/* Trees for every x86-64. */
#include "trees.h"

#define GROW grow_sse2
#define GRADIENTS gradients_sse2
#define WALK walk_sse2

#include "grow.inc"
#include "walk_scalar.inc"

static inline int32_t first_levels(I *at, const float *thresholds, const uint32_t *links, const float *mapped) {
  (void)thresholds, (void)links, (void)mapped;
  *at = ALL(0);
  return 0;
}

#include "walk.inc"
