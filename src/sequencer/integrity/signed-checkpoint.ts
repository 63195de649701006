import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import { optionInvalid } from '../../core/option-invalid.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'

/**
 * Says, signed, what the hash chain of a log was at a position. Whoever keeps one where the
 * database's administrator cannot reach it can later prove that nothing up to there was changed,
 * even by somebody who wrote the whole chain anew.
 */
export interface SignedCheckpoint {
  readonly format: 'tidemark-checkpoint-1'
  /** Identity of the log: the hash with which its chain begins, in hexadecimal. */
  readonly log: string
  /** Decimal. */
  readonly position: string
  /** The chain's hash at the position, in hexadecimal. */
  readonly hash: string
  /** When it was signed, by the clock of whoever signed. ISO 8601, UTC. */
  readonly time: string
  /** Ed25519 signature of the other fields, in base64. */
  readonly signature: string
}

/** What a checkpoint says, before it is signed. */
export type CheckpointClaim = Omit<SignedCheckpoint, 'signature' | 'format'>

/** A key in PEM, or as `node:crypto` has it. */
export type Key = string | KeyObject

const checkpointSchema = z.strictObject({
  format: z.literal('tidemark-checkpoint-1'),
  log: z.string().regex(/^[0-9a-f]{64}$/),
  position: z.string().regex(/^(0|[1-9]\d{0,18})$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  time: z.iso.datetime(),
  signature: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
})

/**
 * Signs what a log's hash chain is at a position.
 *
 * @throws OPTION_INVALID when the key is not a private Ed25519 key.
 */
export function signCheckpoint(privateKey: Key, claim: CheckpointClaim): SignedCheckpoint {
  const key = toKey('privateKey', () =>
    typeof privateKey === 'string' ? createPrivateKey(privateKey) : privateKey,
  )
  const signature = sign(null, signedText(claim), key).toString('base64')
  const { log, position, hash, time } = claim
  return { format: 'tidemark-checkpoint-1', log, position, hash, time, signature }
}

/**
 * Tells whether a checkpoint was signed with the key that belongs to this public key and is as it
 * was signed. Needs no database.
 *
 * @param checkpoint what `exportCheckpoint` returned, or what was parsed from its JSON.
 * @throws OPTION_INVALID when the key is not a public Ed25519 key.
 */
export function verifyCheckpoint(publicKey: Key, checkpoint: unknown): boolean {
  const key = toKey('publicKey', () =>
    typeof publicKey === 'string' ? createPublicKey(publicKey) : publicKey,
  )
  const { data } = checkpointSchema.safeParse(checkpoint)
  if (data === undefined) return false
  return verify(null, signedText(data), key, Buffer.from(data.signature, 'base64'))
}

/**
 * Does the same, and gives the checkpoint with its type.
 *
 * @throws CHECKPOINT_INVALID when the signature is not that of the key.
 */
export function requireSigned(publicKey: Key, checkpoint: unknown): SignedCheckpoint {
  if (verifyCheckpoint(publicKey, checkpoint)) return checkpoint as SignedCheckpoint
  const reason = 'it is not as it was signed, or was signed with another key'
  throw new TidemarkError('CHECKPOINT_INVALID', `the signed checkpoint proves nothing: ${reason}`, {
    details: { reason },
  })
}

/** The bytes that are signed: the fields in a fixed order, one a line, headed by what they are. */
function signedText({ log, position, hash, time }: CheckpointClaim): Buffer {
  return Buffer.from(`tidemark-checkpoint-1\n${log}\n${position}\n${hash}\n${time}\n`)
}

function toKey(option: 'privateKey' | 'publicKey', read: () => KeyObject): KeyObject {
  const type = option === 'privateKey' ? 'private' : 'public'
  try {
    const key = read()
    if (key.type === type && key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Told below; the reason of `node:crypto` could quote the key.
  }
  const reason = `expected ${type === 'private' ? 'a private' : 'a public'} Ed25519 key in PEM`
  throw optionInvalid(option, reason)
}
