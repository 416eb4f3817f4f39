import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/**
 * Batches that the database could not take yet, on disk, in order. A batch is a record `u32 size | u32 crc32 | JSON`
 * in a segment file; segments are numbered and removed when all of their batches have been taken.
 *
 * What `append` has returned for survives the death of the process; `sync` makes it survive the machine's. Taking a
 * batch twice must do no harm: where the reader stood is not remembered across a restart, keys are idempotent.
 */
export class Spool<Batch> {
  readonly #folder: string;
  /** Bytes after which a new segment is begun. */
  readonly #segmentSize: number;
  readonly #segments: number[];
  #writing: { readonly number: number; readonly file: number; size: number } | undefined;
  #reading: { readonly number: number; offset: number } | undefined;
  #waiting = 0;
  #bytes = 0;
  /** What was cut off torn or damaged tails when the spool was opened. */
  readonly damage: readonly string[];

  constructor(folder: string, segmentSize = 8 << 20) {
    this.#folder = folder;
    this.#segmentSize = segmentSize;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#segments = readdirSync(folder)
      .filter((name) => /^\d{8}\.spool$/.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
    const damage: string[] = [];
    for (const number of this.#segments) {
      const { batches, good, size } = this.#scan(number);
      this.#waiting += batches;
      this.#bytes += good;
      if (good === size) continue;
      damage.push(`${this.#path(number)}: ${size - good} bytes after the last whole batch were cut off`);
      const file = openSync(this.#path(number), "r+");
      ftruncateSync(file, good);
      closeSync(file);
    }
    this.damage = damage;
  }

  /** Batches that wait to be taken, and their bytes on disk. */
  get waiting(): number {
    return this.#waiting;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws the system's error when the disk does not take it; nothing half-written stays behind. */
  append(batch: Batch): void {
    const payload = Buffer.from(JSON.stringify(batch));
    const record = Buffer.alloc(8 + payload.length);
    record.writeUInt32LE(payload.length, 0);
    record.writeUInt32LE(crc32(payload), 4);
    payload.copy(record, 8);
    const writing = this.#segmentFor(record.length);
    let done = 0;
    try {
      while (done < record.length) done += writeSync(writing.file, record, done, record.length - done);
    } catch (error) {
      ftruncateSync(writing.file, writing.size);
      throw error;
    }
    writing.size += record.length;
    this.#bytes += record.length;
    this.#waiting += 1;
  }

  sync(): void {
    if (this.#writing !== undefined) fdatasyncSync(this.#writing.file);
  }

  /** The oldest batch, or undefined. It stays until `taken` is called. */
  peek(): Batch | undefined {
    for (;;) {
      const number = this.#segments[0];
      if (number === undefined) return undefined;
      if (this.#reading?.number !== number) this.#reading = { number, offset: 0 };
      const batch = this.#read(this.#reading);
      if (batch !== undefined) return batch.value;
      if (this.#writing?.number === number) return undefined;
      this.#segments.shift();
      this.#reading = undefined;
      rmSync(this.#path(number), { force: true });
    }
  }

  /** The batch that `peek` gave is where it belongs. */
  taken(): void {
    const reading = this.#reading;
    const batch = reading === undefined ? undefined : this.#read(reading);
    if (reading === undefined || batch === undefined) throw new Error("no batch was looked at");
    reading.offset += batch.size;
    this.#bytes -= batch.size;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#clear();
  }

  close(): void {
    if (this.#writing !== undefined) closeSync(this.#writing.file);
    this.#writing = undefined;
  }

  /** Everything was taken: no file needs to stay. */
  #clear(): void {
    this.close();
    this.#reading = undefined;
    for (const number of this.#segments.splice(0)) rmSync(this.#path(number), { force: true });
  }

  #segmentFor(size: number): { readonly number: number; readonly file: number; size: number } {
    if (this.#writing !== undefined && this.#writing.size + size > this.#segmentSize) this.close();
    if (this.#writing === undefined) {
      // Never an old segment: what follows a tear would be lost with it.
      const number = (this.#segments.at(-1) ?? 0) + 1;
      this.#writing = { number, file: openSync(this.#path(number), "ax", 0o600), size: 0 };
      this.#segments.push(number);
    }
    return this.#writing;
  }

  #path(number: number): string {
    return join(this.#folder, `${String(number).padStart(8, "0")}.spool`);
  }

  #scan(number: number): { batches: number; good: number; size: number } {
    const size = statSync(this.#path(number)).size;
    const reading = { number, offset: 0 };
    let batches = 0;
    for (let batch = this.#read(reading); batch !== undefined; batch = this.#read(reading)) {
      reading.offset += batch.size;
      batches += 1;
    }
    return { batches, good: reading.offset, size };
  }

  #read({ number, offset }: { readonly number: number; readonly offset: number }) {
    const path = this.#path(number);
    if (!existsSync(path)) return undefined;
    const file = openSync(path, "r");
    try {
      const head = Buffer.alloc(8);
      if (readSync(file, head, 0, 8, offset) < 8) return undefined;
      const length = head.readUInt32LE(0);
      if (length > statSync(path).size) return undefined;
      const payload = Buffer.alloc(length);
      if (readSync(file, payload, 0, length, offset + 8) < length) return undefined;
      if (crc32(payload) !== head.readUInt32LE(4)) return undefined;
      return { value: JSON.parse(payload.toString()) as Batch, size: 8 + length };
    } finally {
      closeSync(file);
    }
  }
}
