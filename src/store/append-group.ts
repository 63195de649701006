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

interface GroupRow {
  readonly outcomes: readonly OutcomeName[]
  readonly versions: readonly string[]
  readonly replayed_incarnations: readonly (number | null)[] | null
  readonly replayed_transaction_ids: readonly (string | null)[] | null
  readonly incarnation: number
  readonly transaction_id: string
}

/**
 * Carries out appends of different writers in one statement, which is one transaction, each with an
 * outcome of its own.
 *
 * @param patient whether to wait for other writers; otherwise appends to their streams come back as
 *   to be tried `patiently`, so that none waits for a stream that is not its own.
 * @throws whatever makes the statement fail, and then nothing of the group was written, unless the
 *   connection was lost.
 */
export async function appendGroup(
  connection: Connection,
  names: LogNames,
  appends: readonly EncodedAppend[],
  patient: boolean,
): Promise<readonly AppendOutcome[]> {
  const row = await runAppend<GroupRow>(connection, names, {
    name: `tidemark-append-group-${names.schema}`,
    text: /* sql */ `
      select outcomes, versions::text[], replayed_incarnations::integer[],
        replayed_transaction_ids::text[], incarnation::integer, transaction_id::text
      from ${names.schema}.append_group(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
      )`,
    values: encodeGroup(appends, patient),
  })
  return appends.map((append, index) => toOutcome(append, row, index))
}

function encodeGroup(appends: readonly EncodedAppend[], patient: boolean): unknown[] {
  const numbers = new Map<string, number>()
  for (const { streamId } of appends) {
    if (!numbers.has(streamId)) numbers.set(streamId, numbers.size + 1)
  }
  const ofEvents = <T>(value: (append: EncodedAppend, offset: number, index: number) => T) =>
    appends.flatMap((append, index) =>
      append.events[0].map((_, offset) => value(append, offset, index)),
    )
  return [
    [...numbers.keys()],
    appends.map(({ streamId }) => numbers.get(streamId)),
    appends.map(({ expect }) => expect),
    appends.map(({ events }) => events[0].length),
    appends.some(({ key }) => key !== null) ? appends.map(({ key }) => key) : null,
    patient,
    ofEvents((_append, _offset, index) => index + 1),
    ofEvents(({ streamId }) => streamId),
    ofEvents((_append, offset) => offset + 1),
    ofEvents(({ events }, offset) => events[0][offset]),
    ofEvents(({ events }, offset) => events[1][offset]),
    ofEvents(({ events }, offset) => events[2][offset]),
    ofEvents(({ events }, offset) => events[3][offset]),
    ofEvents(({ events }, offset) => events[4][offset]),
    appends.some(({ events }) => events[5] !== null)
      ? ofEvents(({ events }, offset) => events[5]?.[offset] ?? null)
      : null,
  ]
}

function toOutcome(append: EncodedAppend, row: GroupRow, index: number): AppendOutcome {
  const { streamId, expect, key, hasIds } = append
  const version = BigInt(row.versions[index] ?? 0)
  switch (row.outcomes[index]) {
    case 'appended': {
      const token = tokenOf(row.incarnation, row.transaction_id)
      return { result: { streamId, version, token, replayed: false } }
    }
    case 'replayed': {
      const incarnation = row.replayed_incarnations?.[index] ?? 0
      const token = tokenOf(incarnation, row.replayed_transaction_ids?.[index] ?? '0')
      return { result: { streamId, version, token, replayed: true } }
    }
    case 'key reused':
      return { error: keyReused(key ?? '') }
    case 'conflict':
      // Alone it may turn out to be a retry.
      return hasIds ? { again: 'alone' } : { error: versionConflict(streamId, expect, version) }
    default:
      return { again: 'patiently' }
  }
}
