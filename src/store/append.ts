import type { LogNames } from '../db/log-names.ts'
import type { Connection, Statement } from '../db/queryable.ts'
import { type AppendCondition, conditionFailed, encodeCondition } from './append-condition.ts'
import { appendOne } from './append-one.ts'
import {
  type AppendResult,
  keyReused,
  type OutcomeName,
  tokenOf,
  versionConflict,
} from './append-outcome.ts'
import { checkAppend, checkAppendKey, checkStreams, type StreamAppend } from './check-append.ts'
import { type AppendCallOptions, encodeAppend } from './encode-append.ts'
import { encodeEvents, encodePlaces } from './encode-events.ts'
import { runAppend } from './run-append.ts'

export interface AppendManyCallOptions extends AppendCallOptions {
  /** Under which to append; otherwise nothing is written. */
  readonly condition?: AppendCondition | undefined
}

interface ManyRow {
  readonly outcome: OutcomeName
  readonly conflicts: readonly boolean[]
  readonly versions: readonly string[]
  readonly incarnation: number
  readonly transaction_id: string
}

/**
 * Appends events to one stream in one statement. Alone on a pool the statement is its own
 * transaction; on a client or a Kysely transaction it joins the caller's. A conflict is found before
 * anything is written, so it leaves the caller's transaction usable.
 *
 * Writers of one stream take turns until the end of their transactions; writers of different streams
 * never wait for each other. A retry with the same key, or with the same event ids at the same
 * version, gets the result of the first.
 *
 * @throws STREAM_VERSION_CONFLICT with the actual version: read again and decide anew.
 * @throws APPEND_KEY_REUSED when the key belongs to an append of other events.
 * @throws TRANSACTION_STALE when the caller's transaction, of isolation repeatable read or higher, lost
 *   a race that its snapshot does not show: begin it anew.
 * @throws APPEND_INVALID, STREAM_ID_INVALID, EVENT_TOO_LARGE, PRIVILEGE_MISSING
 */
export async function appendToStream(
  connection: Connection,
  names: LogNames,
  append: StreamAppend,
  options: AppendCallOptions = {},
): Promise<AppendResult> {
  const outcome = await appendOne(connection, names, encodeAppend(append, options), true)
  if ('result' in outcome) return outcome.result
  throw 'error' in outcome ? outcome.error : new Error('an append that waits was not carried out')
}

/**
 * Appends events to several streams, all or none, in one statement. Otherwise as
 * {@link appendToStream}. The events get positions in the order given here.
 *
 * @throws STREAM_VERSION_CONFLICT for the first stream that is not as expected; nothing was written.
 * @throws APPEND_CONDITION_FAILED when the condition does not hold; nothing was written.
 */
export async function appendToStreams(
  connection: Connection,
  names: LogNames,
  appends: readonly StreamAppend[],
  options: AppendManyCallOptions = {},
): Promise<readonly AppendResult[]> {
  const expects = appends.map(checkAppend)
  checkStreams(appends)
  checkAppendKey(options.key)
  const events = appends.flatMap((append) => append.events)
  const values = [
    appends.map((append) => append.streamId),
    expects,
    ...encodePlaces(appends),
    ...encodeEvents(events, options),
    options.key,
  ]
  const row = await runAppend<ManyRow>(connection, names, manyStatement(names, values, options))
  if (row.outcome === 'condition failed') throw conditionFailed()
  if (row.outcome === 'key reused') throw keyReused(options.key ?? '')
  const versions = row.versions.map(BigInt)
  if (row.outcome === 'conflict') throw firstConflict(appends, expects, row.conflicts, versions)
  const token = tokenOf(row.incarnation, row.transaction_id)
  const replayed = row.outcome === 'replayed'
  return appends.map(({ streamId }, index) => {
    return { streamId, version: versions[index] ?? 0n, token, replayed }
  })
}

function manyStatement(
  { schema }: LogNames,
  values: readonly unknown[],
  { condition }: AppendManyCallOptions,
): Statement {
  if (condition === undefined) {
    return {
      name: `tidemark-append-many-${schema}`,
      text: /* sql */ `
        select outcome, conflicts, versions::text[], incarnation::integer, transaction_id::text
        from ${schema}.append_streams($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      values,
    }
  }
  return {
    name: `tidemark-append-if-${schema}`,
    text: /* sql */ `
      select outcome, conflicts, versions::text[], incarnation::integer, transaction_id::text
      from ${schema}.append_conditionally(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
      )`,
    values: [...encodeCondition(condition), ...values],
  }
}

function firstConflict(
  appends: readonly StreamAppend[],
  expects: readonly string[],
  conflicts: readonly boolean[],
  versions: readonly bigint[],
): Error {
  const index = conflicts.indexOf(true)
  return versionConflict(
    appends[index]?.streamId ?? '',
    expects[index] ?? '',
    versions[index] ?? 0n,
  )
}
