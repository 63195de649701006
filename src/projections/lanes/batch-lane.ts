import type { CompiledQuery } from 'kysely'
import type pg from 'pg'
import type { EventRegistry } from '../../core/event-registry.ts'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { settleAll } from '../../db/settle-all.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { logInconsistent } from '../../store/log-inconsistent.ts'
import { handlerFailed } from '../../subscriptions/handler-failed.ts'
import type { Chunk, Lane } from '../../subscriptions/lane.ts'
import type { Partition } from '../../subscriptions/partitions/partition.ts'
import type { SubscriptionId } from '../../subscriptions/subscription-id.ts'
import { enterSchemas } from '../enter-schemas.ts'
import type { AnyBatch } from '../projection.ts'
import { refuseTransactionControl } from '../query/exact-pool.ts'
import { appendedEvents, fetchedEvents, storedEvents } from './batch-events.ts'
import type { LaneTarget } from './each-lane.ts'
import { compileWrites, writerOf } from './writes.ts'

interface BatchTarget extends LaneTarget {
  /** The streams whose events it reads in the server. */
  readonly partition: Partition
  /** Whether its statements may ask for positions. */
  readonly hasPositions: boolean
}

/** Runs the statements of the `batch` level: once a chunk, on all of its events together. */
export class BatchLane implements Lane {
  readonly name = 'batch'
  readonly #batch: AnyBatch
  readonly #target: BatchTarget
  readonly #logSchema: string
  readonly #types: readonly string[]

  constructor(batch: AnyBatch, target: BatchTarget, registry: EventRegistry, logSchema: string) {
    this.#batch = batch
    this.#target = target
    this.#logSchema = logSchema
    this.#types = registry.types
  }

  keyOf(event: SequencedEvent): string | null {
    return this.#types.includes(event.type) ? event.streamId : null
  }

  async apply(client: pg.ClientBase, chunk: Chunk): Promise<void> {
    const queries = this.#compile(client, chunk)
    if (queries.length === 0) return
    try {
      await settleAll([
        enterSchemas(client, [this.#target.schema]),
        ...queries.map(({ sql, parameters }) => {
          refuseTransactionControl(sql)
          return client.query({ text: sql, values: [...parameters] })
        }),
      ])
    } catch (error) {
      throw schemaVersionUnknown(this.#target.id, logInconsistent(error))
    }
  }

  committed(): void {}

  reset(): void {}

  #compile(client: pg.ClientBase, chunk: Chunk): readonly CompiledQuery[] {
    const { tables, schema, partition, hasPositions } = this.#target
    const db = writerOf(client, tables, schema)
    const relation = (...types: readonly string[]) => {
      const wanted = types.length === 0 ? this.#types : types
      if (chunk.events !== null) return fetchedEvents(chunk.events, wanted, hasPositions)
      return chunk.appended === undefined
        ? storedEvents(this.#logSchema, chunk, wanted, partition, hasPositions)
        : appendedEvents(this.#logSchema, chunk.appended, wanted)
    }
    return compileWrites(db, this.#batch(db, relation))
  }
}

/** Whether a level can leave the events of these types in the server: none of them has an upcaster. */
export function staysInServer({ definitions }: EventRegistry): boolean {
  return definitions.every(({ schemaVersion }) => schemaVersion === 1)
}

/** Names the event at which the server stopped the statement. */
function schemaVersionUnknown(id: SubscriptionId, error: unknown): unknown {
  if (sqlstateOf(error) !== sqlstate.schemaVersionUnknown) return error
  const { message, detail = '{}' } = error as Error & { detail?: string }
  const { type, schemaVersion, streamId, position: digits } = JSON.parse(detail)
  const position = BigInt(digits)
  const cause = new TidemarkError('EVENT_SCHEMA_VERSION_UNKNOWN', message, {
    details: { type, schemaVersion, newestKnown: 1, streamId, position },
    cause: error,
  })
  return handlerFailed(id, { type, position, streamId }, cause)
}
