import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  type CheckpointClaim,
  signCheckpoint,
  verifyCheckpoint,
} from '../../../src/sequencer/integrity/signed-checkpoint.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

const claim: CheckpointClaim = {
  log: 'a'.repeat(64),
  position: '17',
  hash: 'b'.repeat(64),
  time: '2026-11-21T12:00:00.000Z',
}
const signed = signCheckpoint(privateKey, claim)

test('is verified with the key that belongs to it, also after a way through JSON', () => {
  expect(verifyCheckpoint(publicKey, signed)).toBe(true)
  expect(verifyCheckpoint(publicKey, JSON.parse(JSON.stringify(signed)))).toBe(true)
})

test('takes keys in PEM', () => {
  const pem = { format: 'pem' } as const
  const privatePem = privateKey.export({ ...pem, type: 'pkcs8' }).toString()
  const publicPem = publicKey.export({ ...pem, type: 'spki' }).toString()
  expect(signCheckpoint(privatePem, claim)).toEqual(signed)
  expect(verifyCheckpoint(publicPem, signed)).toBe(true)
})

test('keeps to its format: a signature that was made once is verified for ever', () => {
  // Private key: 32 bytes of 1 (RFC 8410 around them).
  const fixed = `-----BEGIN PRIVATE KEY-----\n${Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    Buffer.alloc(32, 1),
  ]).toString('base64')}\n-----END PRIVATE KEY-----`
  expect(signCheckpoint(fixed, claim)).toEqual({
    format: 'tidemark-checkpoint-1',
    ...claim,
    signature:
      'QFqck1LYjJZFfVT6vUyifWSViB+uRLa17lPnoFpQTGnid1ZTAV//BE/LQzT9jP4FxREthFj6fohAKx+uOjE0Bw==',
  })
})

test.for([
  ['log', 'c'.repeat(64)],
  ['position', '18'],
  ['hash', 'c'.repeat(64)],
  ['time', '2026-11-21T12:00:00.001Z'],
  ['signature', `${'A'.repeat(86)}==`],
  ['format', 'tidemark-checkpoint-2'],
  ['position', '017'],
  ['position', '17\n'],
  ['position', 17],
  ['hash', 'B'.repeat(64)],
  ['time', 'yesterday'],
] as const)('is not verified with %s changed to %j', ([field, value]) => {
  expect(verifyCheckpoint(publicKey, { ...signed, [field]: value })).toBe(false)
})

test.for([[null], [undefined], ['text'], [[]], [{}], [{ ...signed, more: 1 }], [claim]])(
  'is not verified when it is %j',
  ([checkpoint]) => {
    expect(verifyCheckpoint(publicKey, checkpoint)).toBe(false)
  },
)

test('is not verified with another key', () => {
  expect(verifyCheckpoint(generateKeyPairSync('ed25519').publicKey, signed)).toBe(false)
})

test('refuses keys of another kind without quoting them', () => {
  const refusal = { code: 'OPTION_INVALID', message: expect.stringContaining('Ed25519 key in PEM') }
  for (const key of ['secret', publicKey, rsa.privateKey]) {
    expect(() => signCheckpoint(key, claim)).toThrow(expect.objectContaining(refusal))
  }
  for (const key of ['secret', privateKey, rsa.publicKey]) {
    expect(() => verifyCheckpoint(key, signed)).toThrow(expect.objectContaining(refusal))
  }
})
