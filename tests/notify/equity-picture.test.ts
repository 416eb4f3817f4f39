import { describe, expect, test } from "bun:test";
import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { equityPicture, PICTURE_HEIGHT, PICTURE_WIDTH } from "../../src/notify/equity-picture.ts";
import { encodePng } from "../../src/notify/png.ts";

/** Reads a PNG as its specification says, by another way than it was written: chunk by chunk. */
function decode(png: Uint8Array) {
  const bytes = Buffer.from(png);
  expect(bytes.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
  const chunks: [string, Buffer][] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const named = bytes.subarray(at + 4, at + 8 + length);
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc(named));
    chunks.push([named.toString("latin1", 0, 4), named.subarray(4)]);
    at += 12 + length;
  }
  expect(chunks.map(([name]) => name)).toEqual(["IHDR", "PLTE", "IDAT", "IEND"]);
  const [[, header], [, palette], [, data]] = chunks as [[string, Buffer], [string, Buffer], [string, Buffer]];
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  expect([...header.subarray(8)]).toEqual([8, 3, 0, 0, 0]);
  const rows = inflateSync(data);
  expect(rows.length).toBe(height * (width + 1));
  const pixels: number[] = [];
  for (let row = 0; row < height; row++) {
    expect(rows[row * (width + 1)]).toBe(0);
    pixels.push(...rows.subarray(row * (width + 1) + 1, (row + 1) * (width + 1)));
  }
  return { width, height, palette, pixels };
}

/** The checksum bit by bit, as the specification defines it (annex D). */
function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

test("pixels come back as they were", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      fc.infiniteStream(fc.nat(2)),
      (width, height, stream) => {
        const pixels = Uint8Array.from([...stream.take(width * height)]);
        const palette = [
          [0, 0, 0],
          [255, 0, 0],
          [0, 255, 1],
        ] as const;
        const decoded = decode(encodePng(width, height, pixels, palette));
        expect(decoded).toMatchObject({ width, height, pixels: [...pixels] });
        expect([...decoded.palette]).toEqual(palette.flat());
      },
    ),
  );
  expect(() => encodePng(2, 2, new Uint8Array(3), [[0, 0, 0]])).toThrow("3 pixels are not 2 x 2");
});

describe("the picture of a day", () => {
  /** The row in which the curve is drawn, by column. */
  function curveOf(curve: readonly number[], start: number, colour: number) {
    const { width, height, pixels } = decode(equityPicture(curve, start));
    expect([width, height]).toEqual([PICTURE_WIDTH, PICTURE_HEIGHT]);
    return (column: number) => {
      const rows = Array.from({ length: height }, (_, row) => row).filter(
        (row) => pixels[row * width + column] === colour,
      );
      return rows.reduce((sum, row) => sum + row, 0) / rows.length;
    };
  }
  const [GREEN, RED] = [2, 4];

  test("rises where the equity rises, green over its start and red below", () => {
    const gain = curveOf([100, 110], 100, GREEN);
    expect(gain(30)).toBeGreaterThan(gain(900));
    const loss = curveOf([100, 90], 100, RED);
    expect(loss(30)).toBeLessThan(loss(900));
  });

  test("of nothing, of one value and of no change is a flat line", () => {
    for (const curve of [[], [100], [100, 100, 100]]) {
      const flat = curveOf(curve, 100, GREEN);
      expect(flat(20)).toBe(flat(940));
    }
  });
});
