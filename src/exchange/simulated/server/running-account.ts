import type { Side } from "../../../core/effects.ts";
import type { Instrument } from "../../../core/instrument.ts";
import { exactNotional, magnitude } from "../account.ts";

/** A position after each single fill: the model's own books only show it after all fills of one happening. */
export interface RunningPosition {
  lots: number;
  cost: bigint;
  /** Results of all closings so far, before fees. */
  realised: bigint;
  updateTime: number;
}

/** The books of the model, followed event by event with the model's own arithmetic. */
export class RunningAccount {
  wallet: bigint;
  positions: RunningPosition[];

  constructor(wallet: bigint, slots: number) {
    this.wallet = wallet;
    this.positions = flat(slots);
  }

  /** Other modes have other slots; nothing is held when they change. */
  resize(slots: number): void {
    this.positions = flat(slots);
  }

  /** Books a fill that only opens or only closes, as the model's fills do. @returns the realised result before fees */
  fill(slot: number, instrument: Instrument, side: Side, lots: number, price: number, time: number): bigint {
    const position = this.positions[slot]!;
    const value = exactNotional(instrument, lots, price);
    position.updateTime = time;
    if (position.lots * side >= 0) {
      position.lots += side * lots;
      position.cost += value;
      return 0n;
    }
    const cost = (position.cost * BigInt(lots)) / BigInt(magnitude(position.lots));
    const realised = position.lots > 0 ? value - cost : cost - value;
    position.lots += side * lots;
    position.cost -= cost;
    position.realised += realised;
    this.wallet += realised;
    return realised;
  }
}

function flat(slots: number): RunningPosition[] {
  return Array.from({ length: slots }, () => ({ lots: 0, cost: 0n, realised: 0n, updateTime: 0 }));
}
