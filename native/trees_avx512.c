/* Trees for x86-64-v4: sixteen walks at a time. */
#include <immintrin.h>
#include "trees.h"

#define GROW grow_avx512
#define GRADIENTS gradients_avx512
#define WALK walk_avx512
#define WIDTH 16
/* Chains of loads that wait side by side, and how few rows are better walked one by one. */
enum { CHAINS = 2, BATCH = CHAINS * WIDTH, FEW = 6, INTERLEAVED = 0 };
typedef __m512i I;

#define ALL(x) _mm512_set1_epi32(x)
#define ADD(a, b) _mm512_add_epi32(a, b)
#define LOAD_I(p) _mm512_loadu_si512(p)

/* Where a lane with this value goes from nodes with these thresholds and links. */
static inline I follow(__m512 threshold, I link, const float *mapped, I rows) {
  __m512 x = _mm512_i32gather_ps(ADD(rows, _mm512_srli_epi32(link, 16)), mapped, 4);
  I left = _mm512_and_si512(link, _mm512_set1_epi32(0xffff));
  __mmask16 goes_right = _mm512_cmp_ps_mask(x, threshold, _CMP_NLE_UQ);
  return _mm512_mask_add_epi32(left, goes_right, left, _mm512_set1_epi32(1));
}

static inline I step(I at, I roots, const float *thresholds, const uint32_t *links, const float *mapped, I rows) {
  I index = ADD(at, roots);
  return follow(_mm512_i32gather_ps(index, thresholds, 4), _mm512_i32gather_epi32(index, links, 4), mapped, rows);
}

/*
 * The nodes of the first levels fit in registers, where a permutation finds them; gathering from memory is several
 * times slower. Of level k there are no more than the first 2^(k + 1) - 1 nodes to choose from.
 */
static inline void descend(I *at, int32_t chains, int32_t depth, const float *thresholds, const uint32_t *links,
                           const float *mapped, int32_t width) {
  /* Both at once, whether there are rows for both or not: they wait for each other's loads. */
  (void)chains;
  I rows = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), ALL(width));
  int32_t chain = WIDTH * width;
  __m512 t0 = _mm512_loadu_ps(thresholds), t1 = _mm512_loadu_ps(thresholds + 16);
  I l0 = _mm512_loadu_si512(links), l1 = _mm512_loadu_si512(links + 16);
  for (int32_t k = 0; k < CHAINS; k++) at[k] = ALL(0);
  int32_t level = 0;
  for (; level < depth && level < 4; level++) {
    for (int32_t k = 0; k < CHAINS; k++) {
      at[k] = follow(_mm512_permutexvar_ps(at[k], t0), _mm512_permutexvar_epi32(at[k], l0), mapped + k * chain, rows);
    }
  }
  for (; level < depth && level < 5; level++) {
    for (int32_t k = 0; k < CHAINS; k++) {
      at[k] = follow(_mm512_permutex2var_ps(t0, at[k], t1), _mm512_permutex2var_epi32(l0, at[k], l1),
                     mapped + k * chain, rows);
    }
  }
  if (level < depth) {
    __m512 t2 = _mm512_loadu_ps(thresholds + 32), t3 = _mm512_loadu_ps(thresholds + 48);
    I l2 = _mm512_loadu_si512(links + 32), l3 = _mm512_loadu_si512(links + 48);
    for (int32_t k = 0; k < CHAINS; k++) {
      __mmask16 later = _mm512_cmpge_epi32_mask(at[k], ALL(32));
      __m512 threshold = _mm512_mask_blend_ps(later, _mm512_permutex2var_ps(t0, at[k], t1),
                                              _mm512_permutex2var_ps(t2, at[k], t3));
      I link = _mm512_mask_blend_epi32(later, _mm512_permutex2var_epi32(l0, at[k], l1),
                                       _mm512_permutex2var_epi32(l2, at[k], l3));
      at[k] = follow(threshold, link, mapped + k * chain, rows);
    }
    level++;
  }
  for (; level < depth; level++) {
    for (int32_t k = 0; k < CHAINS; k++) at[k] = step(at[k], ALL(0), thresholds, links, mapped + k * chain, rows);
  }
}

static inline void load_values(const float *values, I at, float *out) {
  _mm512_storeu_ps(out, _mm512_i32gather_ps(at, values, 4));
}

#include "grow.inc"
#include "walk.inc"
