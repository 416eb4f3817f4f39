import { InputError } from "../input-error.ts";
import type { IndicatorPlan } from "./plan.ts";
import { portable } from "./portable.ts";

/**
 * Advances the indicators of all symbols of a timeframe by one bar. All kernels give the same bits: the portable one
 * is the definition, and a batch is a loop over `step`.
 */
export interface Kernel {
  readonly name: KernelName;
  /**
   * @param bars memory that holds the bars; bar of group g: 40 doubles at `offset + g * stride` (see Panel)
   * @param state `groups` × `plan.stateRows` × 8 doubles, changed in place
   * @param out `groups` × `plan.outputRows` × 8 doubles, all overwritten; NaN where absent or in warm-up
   */
  step(
    plan: IndicatorPlan,
    bars: Float64Array,
    offset: number,
    stride: number,
    groups: number,
    state: Float64Array,
    out: Float64Array,
  ): void;
}

export const KERNEL_NAMES = ["portable", "sse2", "avx2", "avx512"] as const;
export type KernelName = (typeof KERNEL_NAMES)[number];

const KERNELS: readonly Kernel[] = [portable];

/**
 * The kernel of a name, or the fastest that this machine has.
 * @throws InputError (exit 2) for a name that does not exist or a kernel that is not available here.
 */
export function selectKernel(name?: string): Kernel {
  if (name === undefined || name === "") return portable;
  const kernel = KERNELS.find((candidate) => candidate.name === name);
  if (kernel !== undefined) return kernel;
  const known = (KERNEL_NAMES as readonly string[]).includes(name);
  const available = KERNELS.map((candidate) => candidate.name).join(", ");
  throw new InputError(
    known
      ? `PENSTOCK_KERNEL=${name}: this kernel is not available here (available: ${available})`
      : `PENSTOCK_KERNEL=${name}: no such kernel (one of ${KERNEL_NAMES.join(", ")})`,
    2,
  );
}
