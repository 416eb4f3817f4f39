/**
 * Client order ids: `psk<epoch>-<order>` for the core's orders, `psk<epoch>_<number>` for what the exchange client does
 * by itself (probes of the stop path). Both numbers in base 36: at most 3 + 11 + 1 + 11 of the 36 allowed characters.
 *
 * Epoch and number make an id unique for ever: the exchange only refuses an id that is open at that moment, and would
 * fill one that is used again a second time.
 */
export interface ClientId {
  readonly epoch: number;
  readonly number: number;
  readonly auxiliary: boolean;
}

const PATTERN = /^psk([0-9a-z]{1,11})([-_])([0-9a-z]{1,11})$/;

export function clientIdText({ epoch, number, auxiliary }: ClientId): string {
  return `psk${epoch.toString(36)}${auxiliary ? "_" : "-"}${number.toString(36)}`;
}

/** Undefined for an id that no Penstock has given. */
export function parseClientId(text: string): ClientId | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, epoch, mark, number] = match;
  return { epoch: Number.parseInt(epoch!, 36), number: Number.parseInt(number!, 36), auxiliary: mark === "_" };
}
