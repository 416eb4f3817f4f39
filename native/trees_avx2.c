/*
 * Trees for x86-64-v3. Its gathers are slower than single loads where processors guard against Downfall (twice as slow
 * when measured), so walks use none.
 */
#include "trees.h"

#define GROW grow_avx2
#define GRADIENTS gradients_avx2
#define WALK walk_avx2

#include "grow.inc"
#include "walk_scalar.inc"
#include "walk.inc"
