import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { ask } from './ask.ts'
import { readSealedExtent } from './read-seals.ts'
import { type Key, type SignedCheckpoint, signCheckpoint } from './signed-checkpoint.ts'

/**
 * Signs where the hash chain has come to: the last seal. Verify before you sign what nobody has
 * verified; keep the result where those who administer the database cannot reach it.
 *
 * @param privateKey an Ed25519 key. It stays in this process.
 * @param now clock of whoever signs.
 * @throws OPTION_INVALID when the key is of another kind; LOG_DAMAGED when the chain has no beginning
 *   or no end.
 */
export async function exportCheckpoint(
  pool: pg.Pool,
  names: LogNames,
  privateKey: Key,
  now: () => Date = () => new Date(),
): Promise<SignedCheckpoint> {
  const { identity, last } = await ask(pool, (client) => readSealedExtent(client, names))
  if (identity === null || last === null) {
    throw new TidemarkError(
      'LOG_DAMAGED',
      'the hash chain has lost its first row: run `tidemark verify`',
      { details: { findings: 1, position: 0n } },
    )
  }
  return signCheckpoint(privateKey, {
    log: identity.toString('hex'),
    position: last.position.toString(),
    hash: last.hash.toString('hex'),
    time: now().toISOString(),
  })
}
