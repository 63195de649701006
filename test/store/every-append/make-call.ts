import type pg from 'pg'
import type { NewEvent } from '../../../src/core/event.ts'
import { isTidemarkError } from '../../../src/core/tidemark-error.ts'
import { sqlstate, sqlstateOf } from '../../../src/db/sqlstate.ts'
import type { AppendResult } from '../../../src/store/append-outcome.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import type { Way } from './schedule.ts'
import type { ModelCall, Outcome } from './store-model.ts'

/** A process that appends, with a store that shares commits and one that does not. */
export interface Process {
  readonly pool: pg.Pool
  readonly grouped: EventStore
  readonly single: EventStore
}

/** A call that can be made. */
export interface MadeCall extends ModelCall {
  /** The token of the condition's reader. */
  readonly after: string | undefined
}

interface Manner {
  readonly way: Way
  /** Of the try; becomes part of the events. */
  readonly name: string
  readonly tx: pg.PoolClient | undefined
}

/** Makes a call. What the store refuses is an outcome; a deadlock has ended the transaction. */
export async function makeCall(
  process: Process,
  call: MadeCall,
  manner: Manner,
): Promise<Outcome | 'deadlock'> {
  const way = wayFor(call, manner)
  try {
    if (way === 'sql') return await appendBySql(process.pool, call, manner.name)
    return toOutcome(await appendByStore(process, call, { ...manner, way }))
  } catch (error) {
    if (sqlstateOf(error) === sqlstate.deadlockDetected) return 'deadlock'
    return failureOf(error, call)
  }
}

/** Several streams need `many`; what raises would end the caller's transaction. */
function wayFor({ appends }: ModelCall, { way, tx }: Manner): Way {
  if (appends.length > 1) return 'many'
  return way === 'sql' && tx !== undefined ? 'single' : way
}

async function appendByStore(
  { grouped, single }: Process,
  { appends, key, condition, after }: MadeCall,
  { way, name, tx }: Manner,
): Promise<readonly AppendResult[]> {
  const store = way === 'grouped' ? grouped : single
  const options = {
    metadata: { attempt: name },
    ...(tx && { tx }),
    ...(key !== undefined && { key }),
    ...(condition && { condition: { query: condition.query, after } }),
  }
  const made = appends.map((one) => ({ ...one, events: one.events.map(toEvent) }))
  const [only] = made
  if (way === 'many' || only === undefined) return store.appendMany(made, options)
  return [await store.append(only.streamId, only.events, { ...options, expect: only.expect })]
}

function toEvent({ id, type, n, tags }: ModelCall['appends'][number]['events'][number]): NewEvent {
  return { type, schemaVersion: 1, data: { n }, tags, ...(id !== undefined && { id }) }
}

function toOutcome(results: readonly AppendResult[]): Outcome {
  const [{ token, replayed }] = results as [AppendResult]
  return { versions: results.map(({ version }) => version), token, replayed }
}

/** Appends as people do who have psql. */
async function appendBySql(
  pool: pg.Pool,
  { appends, key, condition, after }: MadeCall,
  attempt: string,
): Promise<Outcome> {
  const [{ streamId, expect, events }] = appends as [MadeCall['appends'][number]]
  const { rows } = await pool.query('select * from tidemark.append($1, $2, $3, $4, $5)', [
    streamId,
    String(expect),
    JSON.stringify(events.map((one) => ({ ...toEvent(one), metadata: { attempt } }))),
    key,
    condition && JSON.stringify({ query: condition.query, ...(after !== undefined && { after }) }),
  ])
  const [{ version, token, replayed }] = rows
  return { versions: [BigInt(version)], token, replayed }
}

function failureOf(error: unknown, { appends }: ModelCall): Outcome {
  if (isTidemarkError(error, 'STREAM_VERSION_CONFLICT')) {
    const { streamId, actualVersion } = error.details
    return { code: error.code, streamId, actualVersion }
  }
  if (isTidemarkError(error, 'APPEND_KEY_REUSED')) return { code: error.code }
  if (isTidemarkError(error, 'APPEND_CONDITION_FAILED')) return { code: error.code }
  switch (sqlstateOf(error)) {
    case sqlstate.streamVersionConflict: {
      const { detail } = error as pg.DatabaseError
      const streamId = appends[0]?.streamId ?? ''
      return { code: 'STREAM_VERSION_CONFLICT', streamId, actualVersion: BigInt(detail ?? -1) }
    }
    case sqlstate.appendKeyReused:
      return { code: 'APPEND_KEY_REUSED' }
    case sqlstate.conditionFailed:
      return { code: 'APPEND_CONDITION_FAILED' }
    default:
      throw error
  }
}
