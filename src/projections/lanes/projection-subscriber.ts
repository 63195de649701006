import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import type { Lane } from '../../subscriptions/lane.ts'
import { type Partition, whole } from '../../subscriptions/partitions/partition.ts'
import { PartitionLane } from '../../subscriptions/partitions/partition-lane.ts'
import type { Subscriber } from '../../subscriptions/subscriber.ts'
import type { SubscriptionId } from '../../subscriptions/subscription-id.ts'
import type { AnyProjection } from '../projection.ts'
import { versionSchema } from '../tables/ddl.ts'
import { BatchLane, staysInServer } from './batch-lane.ts'
import { EachLane } from './each-lane.ts'
import { FoldLane } from './fold-lane.ts'
import { FoldTable } from './fold-table.ts'

export interface ProjectionSubscriberOptions {
  /** Rows that each fold keeps between chunks. Default 100,000. */
  readonly maxCachedRows?: number
  /** The part of the keys to apply. Default: all of them. */
  readonly partition?: Partition
  /** Called again at the next such moment if it gives false. */
  readonly caughtUp?: () => Promise<boolean>
}

const defaults = { maxCachedRows: 100_000 }

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
  names: LogNames,
  options: ProjectionSubscriberOptions = {},
): Subscriber {
  const { registry } = projection
  const { maxCachedRows = defaults.maxCachedRows, partition = whole } = options
  const all = lanesOf(projection, names, maxCachedRows, partition)
  if (all.length === 0) throw withoutLevel(projection.name)
  const isBatchAlone = all.every((lane) => lane instanceof BatchLane)
  const lanes = partition.count === 1 ? all : all.map((lane) => new PartitionLane(lane, partition))
  return {
    id: projectionSubscription(projection),
    types: registry.types,
    fetches: !(isBatchAlone && staysInServer(registry)),
    durable: false,
    onError: projection.onError,
    maxParked: projection.maxParked,
    upcast: (event) => registry.upcast(event),
    lanes,
    ...(partition.count === 1 ? {} : { partition }),
    ...(options.caughtUp === undefined ? {} : { caughtUp: options.caughtUp }),
  }
}

function lanesOf(
  projection: AnyProjection,
  names: LogNames,
  maxCachedRows: number,
  partition: Partition,
): readonly Lane[] {
  const { folds, eachLevel, batchLevel, tables, registry, canBeInline } = projection
  const id = projectionSubscription(projection)
  const schema = versionSchema(projection)
  const target = { id, tables, schema }
  const batchTarget = { ...target, partition, hasPositions: !canBeInline }
  return [
    ...folds.map((fold) => {
      const table = new FoldTable(
        `${quoteIdent(schema)}.${quoteIdent(fold.table)}`,
        tables[fold.table] ?? { columns: {} },
      )
      return new FoldLane(fold, table, id, maxCachedRows)
    }),
    ...(eachLevel === null ? [] : [new EachLane(eachLevel, target)]),
    ...(batchLevel === null
      ? []
      : [new BatchLane(batchLevel, batchTarget, registry, names.schema)]),
  ]
}

function withoutLevel(name: string): TidemarkError {
  const reason = 'it has no fold, `each` or `batch`, so nothing would fill its tables'
  return new TidemarkError('DEFINITION_INVALID', `projection "${name}": ${reason}`, {
    details: { name, reason },
  })
}
