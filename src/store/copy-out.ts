import type { Sql } from "postgres";

/**
 * Reads what `COPY … TO STDOUT (FORMAT binary)` sends, value by value. Format: PostgreSQL manual, COPY, "Binary Format":
 * a header of 19 bytes, then per row a 16-bit count of fields and per field a 32-bit length (-1 for null) and its bytes,
 * all big-endian; a count of -1 ends it.
 */
export class BinaryRows {
  #bytes: Buffer;
  #view: DataView;
  #at: number;
  #fieldsLeft = 0;

  private constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  /** All rows of a query; its bytes are held in memory, about 1.1 times what the table has of them. */
  static async of(sql: Sql, query: string): Promise<BinaryRows> {
    const stream = await sql.unsafe(`COPY (${query}) TO STDOUT (FORMAT binary)`).readable();
    const parts: Buffer[] = [];
    await new Promise<void>((resolve, reject) => {
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("end", resolve);
      stream.on("error", reject);
    });
    const bytes = Buffer.concat(parts);
    // The client pauses its socket when the stream is full, and resumes it when it is asked for more, which nobody does
    // after the end: it would never hear that the server is ready, and the connection would be lost to the pool.
    stream._read(0);
    // The length of the header's extension is its last word.
    return new BinaryRows(bytes, 19 + bytes.readInt32BE(15));
  }

  /** Bytes of all rows together. */
  get bytes(): number {
    return this.#bytes.length;
  }

  /** Begins the next row; false when there is none. */
  next(): boolean {
    if (this.#fieldsLeft !== 0) throw new Error(`${this.#fieldsLeft} fields of a row were not read`);
    const fields = this.#view.getInt16(this.#at);
    this.#at += 2;
    if (fields < 0) return false;
    this.#fieldsLeft = fields;
    return true;
  }

  /** A real, NaN where it is null. */
  float32(): number {
    const at = this.#field();
    return at < 0 ? Number.NaN : this.#view.getFloat32(at);
  }

  /** A double precision, NaN where it is null. */
  float64(): number {
    const at = this.#field();
    return at < 0 ? Number.NaN : this.#view.getFloat64(at);
  }

  /** A bigint within 2^53, NaN where it is null. */
  integer(): number {
    const at = this.#field();
    if (at < 0) return Number.NaN;
    return this.#view.getInt32(at) * 4_294_967_296 + this.#view.getUint32(at + 4);
  }

  /** A smallint. */
  small(): number {
    const at = this.#field();
    return at < 0 ? Number.NaN : this.#view.getInt16(at);
  }

  text(): string {
    const at = this.#field();
    return at < 0 ? "" : this.#bytes.toString("utf8", at, this.#at);
  }

  /** Where the next field's bytes begin, -1 where it is null. */
  #field(): number {
    this.#fieldsLeft -= 1;
    const length = this.#view.getInt32(this.#at);
    const at = this.#at + 4;
    if (length < 0) {
      this.#at = at;
      return -1;
    }
    this.#at = at + length;
    return at;
  }
}
