/**
 * Client order ids: `psk<epoch>-<order>` for the core's orders, `psk<epoch>_<number>` for what the exchange client does
 * by itself (probes of the stop path). Where several services share the right to trade, the epoch of the lease that it
 * was sent under stands behind that of the process: `psk<epoch>.<lease>-<order>`. All numbers in base 36: at most
 * 3 + 11 + 1 + 9 + 1 + 11 of the 36 allowed characters.
 *
 * Epoch and number make an id unique for ever: the exchange only refuses an id that is open at that moment, and would
 * fill one that is used again a second time.
 */
export interface ClientId {
  /** Of the process. */
  readonly epoch: number;
  /** Of the lease; absent without one. A database that was made anew counts from 1, so it is no name by itself. */
  readonly lease?: number;
  readonly number: number;
  readonly auxiliary: boolean;
}

const PATTERN = /^psk([0-9a-z]{1,11})(?:\.([0-9a-z]{1,9}))?([-_])([0-9a-z]{1,11})$/;

export function clientIdText({ epoch, lease = 0, number, auxiliary }: ClientId): string {
  return `psk${epoch.toString(36)}${lease === 0 ? "" : `.${lease.toString(36)}`}${auxiliary ? "_" : "-"}${number.toString(36)}`;
}

/** Undefined for an id that no Penstock has given. */
export function parseClientId(text: string): ClientId | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, epoch, lease, mark, number] = match;
  const under = lease === undefined ? {} : { lease: Number.parseInt(lease, 36) };
  return {
    epoch: Number.parseInt(epoch!, 36),
    ...under,
    number: Number.parseInt(number!, 36),
    auxiliary: mark === "_",
  };
}
