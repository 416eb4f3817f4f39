/* The kernel for x86-64-v3: four lanes at a time. */
#include <immintrin.h>
#include "penstock.h"

#define KERNEL penstock_avx2
#define WIDTH 4
#define UNITS 4
typedef __m256d V;
typedef __m256d M;

#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define ALL(x) _mm256_set1_pd(x)
#define LT(a, b) _mm256_cmp_pd(a, b, _CMP_LT_OQ)
#define EQ(a, b) _mm256_cmp_pd(a, b, _CMP_EQ_OQ)
#define PRESENT(a) _mm256_cmp_pd(a, a, _CMP_ORD_Q)
#define AND(m, n) _mm256_and_pd(m, n)
#define SELECT(m, a, b) _mm256_blendv_pd(b, a, m)
#define BITS(m) (unsigned)_mm256_movemask_pd(m)
#define MAX(a, b) _mm256_max_pd(a, b)
#define MIN(a, b) _mm256_min_pd(a, b)
#define SQRT(a) _mm256_sqrt_pd(a)
#define ABS(a) _mm256_andnot_pd(_mm256_set1_pd(-0.0), a)

#include "kernel.inc"
