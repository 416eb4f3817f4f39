/*
 * Trees for x86-64-v3. Its gathers are slower than single loads where processors guard against Downfall (twice as slow
 * when measured), so walks use none.
 */
#include <immintrin.h>
#include "trees.h"

#define GROW grow_avx2
#define GRADIENTS gradients_avx2
#define WALK walk_avx2

#include "grow.inc"
#include "walk_scalar.inc"

/* Which of eight rows go right at a node: all bits of a lane. */
static inline __m256 right_at(size_t node, const float *thresholds, const uint32_t *links, const float *mapped) {
  __m256 x = _mm256_loadu_ps(mapped + (size_t)(links[node] >> 16) * BATCH);
  return _mm256_cmp_ps(x, _mm256_set1_ps(thresholds[node]), _CMP_NLE_UQ);
}

/* Where eight rows go from a node. */
static inline __m256 after(size_t node, const float *thresholds, const uint32_t *links, const float *mapped) {
  __m256i right = _mm256_castps_si256(right_at(node, thresholds, links, mapped));
  return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32((int32_t)(links[node] & 0xffff)), right));
}

/*
 * Three levels: all seven nodes are asked for all rows, whose values of a feature lie side by side, and the answers
 * chosen among. What lies behind a leaf is asked too and never chosen; it is the next tree's or padding.
 */
static inline int32_t first_levels(I *at, const float *thresholds, const uint32_t *links, const float *mapped) {
  size_t left = links[0] & 0xffff;
  __m256 places[2];
  for (size_t i = 0; i < 2; i++) {
    size_t child = links[left + i] & 0xffff;
    places[i] = _mm256_blendv_ps(after(child, thresholds, links, mapped), after(child + 1, thresholds, links, mapped),
                                 right_at(left + i, thresholds, links, mapped));
  }
  uint32_t lanes[WIDTH];
  __m256 place = _mm256_blendv_ps(places[0], places[1], right_at(0, thresholds, links, mapped));
  _mm256_storeu_si256((__m256i *)lanes, _mm256_castps_si256(place));
  for (int i = 0; i < WIDTH; i++) at->lane[i] = lanes[i];
  return 3;
}

#include "walk.inc"
