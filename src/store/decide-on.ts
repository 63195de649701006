import { type Circumstances, withCircumstances } from '../core/causation.ts'
import type { EventRegistry } from '../core/event-registry.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import { isRejection, type Rejection } from '../core/rejection.ts'
import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import { appendToStreams } from './append.ts'
import type { AppendResult } from './append-outcome.ts'
import type { StreamAppend } from './check-append.ts'
import type { EventQuery } from './event-query.ts'
import { appendInline, type InlineWriter } from './inline-writer.ts'
import { readQuery } from './read-query.ts'
import { retryRaces } from './retry-races.ts'

/** What to append, to one stream or several; nothing; or why not. */
export type AppendDecision<R extends Rejection = Rejection> =
  | StreamAppend
  | readonly StreamAppend[]
  | R
  | null

export interface DecideOptions extends Circumstances {
  /** Makes the append idempotent, as the `key` of an append. */
  readonly key?: string
  /** A `pg` client or a Kysely transaction to join. A failed condition is then thrown at once. */
  readonly tx?: Connection
  /** How often to read and decide before a failed condition is thrown. Default 10. */
  readonly maxAttempts?: number
  /** Stops before the next attempt. */
  readonly signal?: AbortSignal
}

/** What was appended, or why nothing was. */
export type DecideResult<R extends Rejection = Rejection> =
  | { readonly ok: true; readonly appended: readonly AppendResult[] }
  | ([R] extends [never] ? never : { readonly ok: false; readonly rejection: R })

interface DecideContext {
  readonly connection: Connection
  readonly names: LogNames
  readonly registry: EventRegistry
  readonly maxEventBytes: number | undefined
  readonly inline?: InlineWriter | undefined
}

const defaults = { maxAttempts: 10 }

/**
 * Reads what matches a query, lets a function decide on it, and appends under the condition that
 * nothing else has matched since; otherwise does it again, after a pause. The function may run several
 * times: it must do nothing but decide.
 *
 * @throws APPEND_CONDITION_FAILED, STREAM_VERSION_CONFLICT when others were first at each attempt;
 *   what reading and appending throw; OPERATION_CANCELLED. Nothing was written.
 */
export async function decideOn(
  context: DecideContext,
  query: EventQuery,
  decide: (events: readonly RecordedEvent[]) => AppendDecision | Promise<AppendDecision>,
  options: DecideOptions = {},
): Promise<DecideResult> {
  const { maxAttempts = defaults.maxAttempts, signal, tx } = options
  const race = {
    operation: 'a decision',
    races: ['APPEND_CONDITION_FAILED', 'STREAM_VERSION_CONFLICT'],
    maxAttempts: tx === undefined ? maxAttempts : 1,
    signal,
  } as const
  return retryRaces(race, () => attemptOnce(context, query, decide, options))
}

async function attemptOnce(
  context: DecideContext,
  query: EventQuery,
  decide: (events: readonly RecordedEvent[]) => AppendDecision | Promise<AppendDecision>,
  options: DecideOptions,
): Promise<DecideResult> {
  const { connection, names, registry, maxEventBytes } = context
  const { key, tx } = options
  const { events, token } = await readQuery(tx ?? connection, names, registry, query)
  const decision = await decide(events)
  if (isRejection(decision)) return { ok: false, rejection: decision }
  const appends = decision === null ? [] : ([decision].flat() as readonly StreamAppend[])
  if (appends.length === 0) return { ok: true, appended: [] }
  const caused = appends.map((append) => {
    return { ...append, events: withCircumstances(append.events, options) }
  })
  const condition = { query, after: token }
  const call = { key, maxEventBytes, condition }
  const appended = await appendInline(context, tx, caused, (joined, named) =>
    appendToStreams(joined, names, named, call),
  )
  return { ok: true, appended }
}
