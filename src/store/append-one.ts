import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import {
  type AppendOutcome,
  keyReused,
  type OutcomeName,
  tokenOf,
  versionConflict,
} from './append-outcome.ts'
import type { EncodedAppend } from './encode-append.ts'
import { runAppend } from './run-append.ts'

interface Row {
  readonly outcome: OutcomeName
  readonly version: string
  readonly incarnation: number
  readonly transaction_id: string
}

/**
 * Carries out one append.
 *
 * @param patient whether to wait for other writers; otherwise it may have to be tried again.
 */
export async function appendOne(
  connection: Connection,
  names: LogNames,
  append: EncodedAppend,
  patient: boolean,
): Promise<AppendOutcome> {
  const { streamId, expect, key, events } = append
  const row = await runAppend<Row>(connection, names, {
    name: `tidemark-append-${names.schema}`,
    text: /* sql */ `
      select outcome, version::text, incarnation::integer, transaction_id::text
      from ${names.schema}.append_stream($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    values: [streamId, expect, ...events, key, patient],
  })
  switch (row.outcome) {
    case 'busy':
      return { again: 'patiently' }
    case 'key reused':
      return { error: keyReused(key ?? '') }
    case 'conflict':
      return { error: versionConflict(streamId, expect, BigInt(row.version)) }
    default: {
      const token = tokenOf(row.incarnation, row.transaction_id)
      const replayed = row.outcome === 'replayed'
      return { result: { streamId, version: BigInt(row.version), token, replayed } }
    }
  }
}
