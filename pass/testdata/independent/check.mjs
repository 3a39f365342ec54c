// Reads the vectors that our Go code made (go-*.txt with expect: ok) and
// verifies them with @auth0/cose: the other direction of make.mjs.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createHash, createPublicKey, createPrivateKey, verify } from 'node:crypto'
import { decodeSequence, encode, cdeEncodeOptions } from 'cbor2'
import { Sign1 } from '@auth0/cose'
import base45 from 'base45'

const dir = process.argv[2]
const seed = (name) => createHash('sha256').update('munjigi test key ' + name).digest()
const publicKey = (name) => createPublicKey(createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed(name)]), format: 'der', type: 'pkcs8' }))
let passed = 0
for (const f of readdirSync(dir).filter((f) => f.startsWith('go-')).sort()) {
  const head = Object.fromEntries(readFileSync(join(dir, f), 'utf8').trim().split('\n').map((l) => l.split(/: (.*)/s).slice(0, 2)))
  if (head.expect !== 'ok') continue
  const bytes = new Uint8Array(base45.decode(JSON.parse(head.text).slice(3)))
  const items = [...decodeSequence(bytes)]
  const message = ([p, , payload, signature]) => new Sign1(p, new Map(), payload, signature)
  await message(items[0]).verify(publicKey(head.issuer))
  if (items[1]) {
    // The library wants alg in the header itself; RFC 9052, section 3.1, also
    // allows it in the external data, so this one is checked by hand.
    const [p, , payload, signature] = items[1]
    const tbs = encode(['Signature1', p, encode(items[0], cdeEncodeOptions), payload], cdeEncodeOptions)
    if (!verify(null, tbs, publicKey(head.issuer), signature)) throw new Error(`${f}: attestation`)
  }
  console.log(`${f}: verified${items[1] ? ' with its attestation' : ''}`)
  passed++
}
if (passed === 0) throw new Error('no vector to check: run go test ./pass -update first')
