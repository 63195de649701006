import type { SequencedEvent } from '../core/recorded-event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { settleAll } from '../db/settle-all.ts'
import { handlerFailed } from '../subscriptions/handler-failed.ts'
import type { Subscriber } from '../subscriptions/subscriber.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'
import { versionSchema } from './ddl.ts'
import { FoldEngine } from './fold-engine.ts'
import { FoldTable } from './fold-table.ts'
import type { AnyProjection } from './projection.ts'

export interface ProjectionSubscriberOptions {
  /** Rows that each fold keeps between chunks. Default 50,000. */
  readonly maxCachedRows?: number
  readonly caughtUp?: () => Promise<void>
}

const defaults = { maxCachedRows: 50_000 }

/** Names the checkpoint of one version of a projection. */
export function projectionSubscription(projection: {
  readonly name: string
  readonly version: number
}): SubscriptionId {
  return { kind: 'projection', name: projection.name, version: projection.version }
}

/** Applies events to the tables of one version of a projection. */
export function projectionSubscriber(
  projection: AnyProjection,
  options: ProjectionSubscriberOptions = {},
): Subscriber {
  const id = projectionSubscription(projection)
  const maxCachedRows = options.maxCachedRows ?? defaults.maxCachedRows
  if (projection.folds.length === 0) throw withoutFold(projection.name)
  const engines = projection.folds.map((fold) => {
    const table = projection.tables[fold.table] ?? { columns: {} }
    const name = `${versionSchema(projection)}.${quoteIdent(fold.table)}`
    return new FoldEngine(fold, new FoldTable(name, table), id, maxCachedRows)
  })
  return {
    id,
    types: projection.registry.types,
    durable: false,
    apply: async (client, events) => {
      const current = events.map((event) => upcast(projection, id, event))
      await settleAll(engines.map((engine) => engine.apply(client, current)))
    },
    committed: () => {
      for (const engine of engines) engine.committed()
    },
    reset: () => {
      for (const engine of engines) engine.reset()
    },
    ...(options.caughtUp === undefined ? {} : { caughtUp: options.caughtUp }),
  }
}

function withoutFold(name: string): TidemarkError {
  const reason = 'it has no fold, so nothing would fill its tables'
  return new TidemarkError('DEFINITION_INVALID', `projection "${name}": ${reason}`, {
    details: { name, reason },
  })
}

function upcast(
  projection: AnyProjection,
  id: SubscriptionId,
  event: SequencedEvent,
): SequencedEvent {
  try {
    return projection.registry.upcast(event)
  } catch (error) {
    throw handlerFailed(id, event, error)
  }
}
