/**
 * When does "no such order" mean that there will never be one?
 *
 * A request to place an order is signed with a timestamp t, and the exchange takes it only while its own clock shows at
 * most t + recvWindow; it looks again before the matching engine (−1021, −5028). What it has taken, its queries may not
 * know for a while. Whoever asks when the exchange's clock is certainly past t + recvWindow + that while, and hears of
 * no such order, has a proof; whoever asks earlier has nothing, however late the answer comes in.
 *
 * t is compared with the exchange's clock and with no other, so an error of ours when signing moves nothing: what
 * matters is how far the exchange's clock may be behind ours when we ask (`ServerClock.error`).
 */

/** How old the exchange lets a request about an order become, ms. Late entries are worthless, and stops are sent anew. */
export const ORDER_WINDOW = 3_000;

/** How long queries may deny what the exchange has taken, ms: the service of conditional orders is the slow one. */
export const QUERY_LAG = 3_000;
