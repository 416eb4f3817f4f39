/* The kernel for x86-64-v4: all eight lanes at once, conditions in mask registers. */
#include <immintrin.h>
#include "penstock.h"

#define KERNEL penstock_avx512
#define WIDTH 8
#define UNITS 4
typedef __m512d V;
typedef __mmask8 M;

#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define ALL(x) _mm512_set1_pd(x)
#define LT(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ)
#define EQ(a, b) _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ)
#define PRESENT(a) _mm512_cmp_pd_mask(a, a, _CMP_ORD_Q)
#define AND(m, n) (M)((m) & (n))
#define SELECT(m, a, b) _mm512_mask_blend_pd(m, b, a)
#define BITS(m) (unsigned)(m)
#define MAX(a, b) _mm512_max_pd(a, b)
#define MIN(a, b) _mm512_min_pd(a, b)
#define SQRT(a) _mm512_sqrt_pd(a)
#define ABS(a) _mm512_abs_pd(a)

#include "kernel.inc"
