/** An answer that is not what was asked for. */
export class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Asks the trader. @param {string} path @param {RequestInit} [init]
 * @returns {Promise<any>} @throws {Refused}
 */
export async function ask(path, init) {
  const response = await fetch(path, { ...init, credentials: "same-origin" });
  if (response.status === 204) return undefined;
  const body = await response.json();
  if (!response.ok) throw new Refused(response.status, body.error ?? response.statusText);
  return body;
}

/** @param {string} method @param {string} path @param {unknown} body */
export function send(method, path, body) {
  return ask(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/**
 * Listens to the trader for as long as the page lives; comes back by itself after an interruption.
 * @param {(event: any) => void} onEvent @param {(up: boolean) => void} onConnection
 */
export function listen(onEvent, onConnection) {
  let wait = 500;
  const connect = () => {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/events`);
    socket.onopen = () => {
      wait = 500;
      onConnection(true);
    };
    socket.onmessage = ({ data }) => onEvent(JSON.parse(data));
    socket.onclose = () => {
      onConnection(false);
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 10_000);
    };
  };
  connect();
}
