import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import { ask } from './ask.ts'
import { startOf } from './explain-seal.ts'
import { type Finding, finding } from './finding.ts'
import { type HashedEvent, readHashes } from './read-hashes.ts'
import { readSealBefore, readSeals, type SealedExtent } from './read-seals.ts'
import { chainOf } from './seal-chain.ts'
import type { SignedCheckpoint } from './signed-checkpoint.ts'

const pageSize = 10_000n

/** Holds a log against a checkpoint whose signature was checked already. */
export async function checkCheckpoint(
  pool: pg.Pool,
  names: LogNames,
  extent: SealedExtent,
  checkpoint: SignedCheckpoint,
): Promise<Finding[]> {
  const position = BigInt(checkpoint.position)
  if (extent.identity?.toString('hex') !== checkpoint.log) {
    return [differs(0n, 'it is of another log, or this log began anew after it was signed')]
  }
  if (position > extent.head) {
    return [differs(extent.head + 1n, `the log ends at position ${extent.head} now`)]
  }
  const hash = await chainAt(pool, names, position)
  if (hash === undefined) return [differs(position, 'there are events missing below it now')]
  if (Buffer.from(hash).toString('hex') === checkpoint.hash) return []
  return [differs(position, 'the log up to there was written anew after it was signed')]
}

/**
 * Computes the chain's hash at any position, from the seal before. Undefined when the positions
 * between are not dense.
 */
async function chainAt(
  pool: pg.Pool,
  names: LogNames,
  position: bigint,
): Promise<Uint8Array | undefined> {
  const start = await ask(pool, (client) => chainStart(client, names, position))
  if (start === undefined) return undefined
  let { after, hash } = start
  let last: HashedEvent | undefined
  while (after < position) {
    const upto = after + pageSize < position ? after + pageSize : position
    const afterInsertId = last?.insertId ?? null
    const range = { after, upto, afterInsertId }
    const events = await ask(pool, (client) => readHashes(client, names, range))
    const base = after
    const isDense = events.every((event, index) => event.position === base + BigInt(index) + 1n)
    if (!isDense || BigInt(events.length) !== upto - after) return undefined
    hash = chainOf(
      hash,
      events.map((event) => event.hash),
    )
    last = events.at(-1)
    after = upto
  }
  return hash
}

/** Where to compute from: what the seal over the position says was before it, else the last seal. */
async function chainStart(
  client: pg.ClientBase,
  names: LogNames,
  position: bigint,
): Promise<{ readonly after: bigint; readonly hash: Uint8Array } | undefined> {
  const [cover] = await readSeals(client, names, position, 1)
  if (cover !== undefined && cover.previousHash !== null) {
    return { after: startOf(cover), hash: cover.previousHash }
  }
  const last = cover ?? (await readSealBefore(client, names, position))
  return last && { after: last.position, hash: last.hash }
}

function differs(position: bigint, reason: string): Finding {
  return finding({
    kind: 'checkpoint-differs',
    position,
    message: `the log is not the one of the signed checkpoint: ${reason}`,
    remedy: 'trust the checkpoint; restore the log from a backup that fits it',
  })
}
