// Writes npm-*.txt and npm.bundle: vectors made without any of our code.
// CBOR by cbor2 (core deterministic encoding), base45 by base45, Ed25519 and
// SHA-256 by Node's OpenSSL. Follows FORMAT.md and nothing else.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encode, cdeEncodeOptions } from 'cbor2'
import base45 from 'base45'

const out = process.argv[2]
// cbor2 knows Uint8Array as a byte string but takes Node's Buffer for an object.
const plainBytes = (v) => Buffer.isBuffer(v)
  ? new Uint8Array(v)
  : Array.isArray(v) ? v.map(plainBytes) : v instanceof Map ? new Map([...v].map(([k, x]) => [k, plainBytes(x)])) : v
const cbor = (v) => Buffer.from(encode(plainBytes(v), cdeEncodeOptions))
const sha256 = (b) => createHash('sha256').update(b).digest()
const day = 86400
const t0 = Date.parse('2026-11-22T03:40:00Z') / 1000

// A private key that is the same in every run, from a name.
function key (name) {
  const seed = sha256('munjigi test key ' + name)
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const secret = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' })
  const raw = spki.subarray(spki.length - 32)
  return { secret, raw, kid: sha256(raw).subarray(0, 4) }
}

// COSE_Sign1 as RFC 9052, sections 4.2 and 4.4, has it; protectedMap null means
// the empty byte string.
function sign1 (k, protectedMap, aad, payload) {
  const p = protectedMap ? cbor(protectedMap) : Buffer.alloc(0)
  const tbs = cbor(['Signature1', p, aad, payload])
  return cbor([p, new Map(), payload, sign(null, tbs, k.secret)])
}

const kko = key('kko')
const nv = key('nv')
const root = key('root')
const id = Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex')

function claims ({ iss = 'kko', iat = t0, exp = iat + 15, cti = id } = {}) {
  return new Map([[1, iss], [4, exp], [6, iat], [7, cti]])
}
function pass (k, map) { return sign1(k, new Map([[1, -8], [4, k.kid]]), Buffer.alloc(0), cbor(map)) }
function attest (k, thePass, complete, doses) { return sign1(k, null, thePass, cbor([complete, new Map(doses)])) }
const text = (...parts) => 'MJ1' + base45.encode(Buffer.concat(parts))

function write (name, head, t) {
  const lines = Object.entries({ by: 'npm', bundle: 'npm.bundle', now: '2026-11-22T03:40:03Z', ...head }).map(([k, v]) => `${k}: ${v}`)
  writeFileSync(join(out, `npm-${name}.txt`), lines.join('\n') + `\ntext: "${t}"\n`)
}

const span = (k) => new Map([[1, k.kid], [2, -8], [3, k.raw], [4, t0 - 30 * day], [5, t0 + 60 * day]])
const bundle = new Map([
  [1, 7], [2, t0 - day], [3, t0 + 60 * day],
  [4, [new Map([[1, 'kko'], [2, [span(kko)]]]), new Map([[1, 'nv'], [2, [span(nv)]]])]],
  [5, new Map([['park', new Map([[1, 2], [2, t0 - day]])]])],
  [6, [key('receipt').raw]]
])
writeFileSync(join(out, 'npm.bundle'), sign1(root, new Map([[1, -8], [4, root.kid], [16, 'application/munjigi-bundle+cbor']]), Buffer.alloc(0), cbor(bundle)).toString('hex') + '\n')

const plain = pass(kko, claims())
write('plain', { expect: 'ok', issuer: 'kko', id: id.toString('hex') }, text(plain))
write('short-issuer', { expect: 'ok', issuer: 'nv', id: id.toString('hex') }, text(pass(nv, claims({ iss: 'nv' }))))
const days = (s) => Date.parse(s + 'T00:00:00Z') / 1000 / day
const doses = [[1, days('2026-02-25')], [2, days('2026-03-27')], [3, days('2026-05-26')], [4, days('2026-06-25')]]
write('four-doses', { expect: 'ok', issuer: 'kko', id: id.toString('hex'), complete: true, doses: '1=2026-02-25 2=2026-03-27 3=2026-05-26 4=2026-06-25' }, text(plain, attest(kko, plain, true, doses)))
write('one-dose', { expect: 'ok', issuer: 'kko', id: id.toString('hex'), complete: false, doses: '1=2026-11-01' }, text(plain, attest(kko, plain, false, [[1, days('2026-11-01')]])))
write('moved-attestation', { expect: 'signature' }, text(pass(kko, claims({ cti: Buffer.alloc(16, 9) })), attest(kko, plain, true, doses)))
write('attestation-by-another-key', { expect: 'signature' }, text(plain, attest(nv, plain, true, doses)))
write('attestation-twice', { expect: 'oversized' }, text(plain, attest(kko, plain, false, []), attest(kko, plain, false, [])))
write('byte-behind', { expect: 'non-canonical' }, text(plain, attest(kko, plain, false, []), Buffer.from([0])))
write('another-issuers-key', { expect: 'issuer' }, text(pass(nv, claims())))
write('unknown-key', { expect: 'unknown-key' }, text(pass(key('stranger'), claims())))
write('lifetime-60', { expect: 'lifetime' }, text(pass(kko, claims({ exp: t0 + 60 }))))
write('extra-claim', { expect: 'format' }, text(pass(kko, new Map([...claims({ cti: id.subarray(0, 12) }), [8, 1]]))))
write('tagged', { expect: 'format' }, 'MJ1' + base45.encode(Buffer.concat([Buffer.from([0xd2]), plain])))

// The same values in longer or disordered encodings, correctly signed: the
// signature would hold, the second spelling must not.
const raw = (payload) => sign1(kko, new Map([[1, -8], [4, kko.kid]]), Buffer.alloc(0), payload)
const canonical = cbor(claims())
const longInt = Buffer.concat([Buffer.from([0xa4, 0x18, 0x01]), cbor('nv'), canonical.subarray(6)])
write('long-integer', { expect: 'non-canonical' }, text(raw(longInt)))
const disordered = Buffer.concat([Buffer.from([0xa4]), cbor(4), cbor(t0 + 15), cbor(1), cbor('kko'), cbor(6), cbor(t0), cbor(7), cbor(id)])
write('disordered-keys', { expect: 'non-canonical' }, text(raw(disordered)))
const twice = Buffer.concat([Buffer.from([0xa4]), cbor(1), cbor('kko'), cbor(4), cbor(t0 + 15), cbor(6), cbor(t0), cbor(6), cbor(t0)])
write('key-twice', { expect: 'non-canonical' }, text(raw(twice)))
const indefinite = Buffer.concat([Buffer.from([0xbf]), cbor(1), cbor('k'), cbor(4), cbor(t0 + 15), cbor(6), cbor(t0), cbor(7), cbor(id), Buffer.from([0xff])])
write('indefinite-map', { expect: 'non-canonical' }, text(raw(indefinite)))
