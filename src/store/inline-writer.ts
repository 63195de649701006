import type { NewEvent } from '../core/event.ts'
import type { JsonObject } from '../core/json.ts'
import type { Connection } from '../db/queryable.ts'
import type { EncodedAppend } from './encode-append.ts'
import { newEventId } from './new-event-id.ts'

/** An event that is about to be appended, with its data as it will be stored. */
export interface PlannedEvent {
  readonly streamId: string
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  readonly data: unknown
  readonly metadata: JsonObject
  readonly tags: readonly string[]
}

/** What an append is going to insert; null when that is not known, or is too much to look at. */
export type AppendPlan = (() => readonly PlannedEvent[]) | null

/**
 * Applies inline projections to what is appended. The store knows no more of them: their layer is above
 * it.
 */
export interface InlineWriter {
  /** Whether a projection may have to be applied to events of these types. */
  covers(types: Iterable<string>): boolean

  /**
   * Carries out an append and applies the projections to it, both or neither: in a transaction of its own,
   * or in the caller's, which stays usable when it fails.
   *
   * @param body may be carried out again, after what it did was rolled back.
   * @throws HANDLER_FAILED, PROJECTION_NOT_APPLIED and what the append throws: nothing was written.
   */
  append<T>(
    tx: Connection | undefined,
    plan: AppendPlan,
    body: (connection: Connection) => Promise<T>,
  ): Promise<T>
}

interface StreamEvents {
  readonly streamId: string
  readonly events: readonly NewEvent[]
}

/**
 * Runs an append where it belongs: together with the inline projections that read its events, if there are
 * any.
 *
 * @param body appends what it is given: the same events, with ids.
 */
export async function appendInline<S extends StreamEvents, T>(
  context: { readonly connection: Connection; readonly inline?: InlineWriter | undefined },
  tx: Connection | undefined,
  appends: readonly S[],
  body: (connection: Connection, appends: readonly S[]) => Promise<T>,
): Promise<T> {
  const { connection, inline } = context
  const types = appends.flatMap(({ events }) => events.map(({ type }) => type))
  if (inline === undefined || !inline.covers(types)) return body(tx ?? connection, appends)
  const named = appends.map((append) => ({ ...append, events: append.events.map(withId) }))
  const plan = () =>
    named.flatMap(({ streamId, events }) => events.map((e) => planned(streamId, e)))
  return inline.append(tx, plan, (joined) => body(joined, named))
}

/** Says what appends that are encoded are going to insert. */
export function planOf(appends: readonly EncodedAppend[]): AppendPlan {
  return () =>
    appends.flatMap(({ streamId, events: [ids, types, schemaVersions, data, metadata, tags] }) =>
      ids.map((id, i) => ({
        streamId,
        id,
        type: types[i] ?? '',
        schemaVersion: schemaVersions[i] ?? 1,
        data: JSON.parse(data[i] ?? 'null'),
        metadata: JSON.parse(metadata[i] ?? '{}'),
        // As Postgres writes them: no key is made of that.
        tags: tags?.[i] == null ? [] : [tags[i]],
      })),
    )
}

function withId(event: NewEvent): NewEvent {
  return event.id === undefined ? { ...event, id: newEventId() } : event
}

function planned(streamId: string, event: NewEvent): PlannedEvent {
  const { id = '', type, schemaVersion, tags = [] } = event
  const [data, metadata] = [event.data, event.metadata ?? {}].map(asStored)
  return { streamId, id, type, schemaVersion, data, metadata: metadata as JsonObject, tags }
}

/** What cannot be stored is refused later. */
function asStored(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value) ?? 'null')
}
