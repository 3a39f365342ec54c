// The newest zxing-cpp as a peer, as WebAssembly: its defaults, QR codes only,
// one symbol. It takes RGBA, so that its time holds a conversion to gray that
// the native peers do not need.
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";

const wasm = createRequire(import.meta.url).resolve("zxing-wasm/reader/zxing_reader.wasm");
await prepareZXingModule({ overrides: { wasmBinary: readFileSync(wasm) }, fireImmediately: true });
const options = { formats: ["QRCode"], maxNumberOfSymbols: 1, textMode: "Plain" };

let have = [], size = 0;
const chunks = process.stdin[Symbol.asyncIterator]();
async function take(n) {
  while (size < n) {
    const { value, done } = await chunks.next();
    if (done) process.exit(0);
    have.push(value);
    size += value.length;
  }
  const all = have.length === 1 ? have[0] : Buffer.concat(have);
  have = [all.subarray(n)];
  size -= n;
  return all.subarray(0, n);
}

function put(buffer) {
  for (let at = 0; at < buffer.length; ) at += writeSync(1, buffer, at);
}

for (;;) {
  const head = await take(12);
  const width = head.readUInt32LE(0), height = head.readUInt32LE(4);
  const gray = await take(width * height);
  const data = new Uint8ClampedArray(4 * gray.length);
  const pixels = new Uint32Array(data.buffer);
  for (let i = 0; i < gray.length; i++) pixels[i] = 0xff000000 | (gray[i] * 0x010101);
  const start = process.cpuUsage();
  const results = (await readBarcodes({ data, width, height }, options)).filter((r) => r.isValid);
  const used = process.cpuUsage(start);
  const answer = Buffer.alloc(20);
  answer.writeBigUInt64LE(BigInt(used.user + used.system) * 1000n, 0);
  answer.writeUInt32LE(results.length, 16);
  const parts = [answer];
  for (const r of results) {
    for (const blob of [Buffer.from(r.text), Buffer.from(r.bytes)]) {
      const n = Buffer.alloc(4);
      n.writeUInt32LE(blob.length);
      parts.push(n, blob);
    }
  }
  put(Buffer.concat(parts));
}
