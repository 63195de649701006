import {
  evolveInstance,
  type Instance,
  type InstanceState,
  type RecordedAction,
} from '../../core/processes/instance.ts'
import {
  ProcessAdvanced,
  processFacts,
  type ToldEvent,
  toInput,
} from '../../core/processes/process-events.ts'
import type { AnyProcess } from '../../core/processes/process-manager.ts'
import type { RecordedEvent } from '../../core/recorded-event.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { type StoredRow, toRecordedEvent } from '../../store/stored-row.ts'

/** What an instance was told, and what it answered. */
export interface InstanceStep {
  readonly told: RecordedEvent
  readonly actions: readonly RecordedAction[]
  /** How it was doing since. */
  readonly state: InstanceState
  readonly recordedAt: Date
}

interface Row extends StoredRow {
  readonly process_stream_id: string
  readonly answer: { readonly told: ToldEvent } & Omit<InstanceStep, 'told' | 'recordedAt'>
  readonly answered_at: Date
}

/** Reads what instances were told, as it is stored, by the ids of their streams. */
export async function readHistories(
  connection: Connection,
  { schema }: LogNames,
  streamIds: readonly string[],
): Promise<ReadonlyMap<string, readonly InstanceStep[]>> {
  const rows = await run<Row>(connection, {
    name: `tidemark-read-instances-${schema}`,
    text: /* sql */ `
      select p.stream_id as process_stream_id, p.data as answer, p.recorded_at as answered_at,
        null::text as position, e.stream_id, e.version::text, e.event_id, e.type,
        e.schema_version::integer, e.data, e.metadata, e.tags, e.recorded_at
      from ${schema}.events as p
      join ${schema}.events as e
        on e.stream_id = p.data #>> '{told,streamId}'
        and e.version = (p.data #>> '{told,version}')::bigint
      where p.stream_id = any ($1) and p.type = $2
      order by p.stream_id, p.version`,
    values: [streamIds, ProcessAdvanced.type],
  })
  const histories = new Map<string, InstanceStep[]>()
  for (const row of rows) {
    const { actions, state } = row.answer
    const step = { told: toRecordedEvent(row), actions, state, recordedAt: row.answered_at }
    const history = histories.get(row.process_stream_id)
    if (history === undefined) histories.set(row.process_stream_id, [step])
    else history.push(step)
  }
  return histories
}

/**
 * Computes an instance from what it was told and has answered. The answers are those that were recorded; the
 * state is what today's definition makes of the events.
 *
 * @returns undefined when it was told nothing.
 * @throws EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN; what `evolve` throws.
 */
export function foldHistory(
  definition: AnyProcess,
  streamId: string,
  history: readonly InstanceStep[],
): Instance | undefined {
  return history.reduce<Instance | undefined>((before, { told, actions }) => {
    const input = toInput(streamId, upcastTold(definition, told))
    return evolveInstance(definition, before, input, actions)
  }, undefined)
}

/**
 * Brings what an instance is told to its newest shape.
 *
 * @throws EVENT_TYPE_UNKNOWN, EVENT_SCHEMA_VERSION_UNKNOWN
 */
export function upcastTold<E extends RecordedEvent>({ registry }: AnyProcess, event: E): E {
  return ownTypes.has(event.type) && registry.definitionOf(event.type) === undefined
    ? event
    : registry.upcast(event)
}

const ownTypes: ReadonlySet<string> = new Set(processFacts.map(({ type }) => type))
