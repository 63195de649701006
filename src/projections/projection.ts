import type { RawBuilder } from 'kysely'
import type { AnyEventDefinition, AppendedEventOf, EventOf } from '../core/event.ts'
import { type EventRegistry, eventRegistry } from '../core/event-registry.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { defaultMaxParked, type OnError } from '../subscriptions/subscriber.ts'
import type { BatchEvents } from './lanes/batch-events.ts'
import type { ProjectionWriter } from './lanes/projection-writer.ts'
import type { Writes } from './lanes/writes.ts'
import { faultOfPartitions } from './tables/check-partitions.ts'
import { faultOfTables } from './tables/check-tables.ts'
import type { DeclaredNames, Key, ReducedRow, Row, Table, Tables, Values } from './tables/table.ts'

/** The events that handlers get: without positions where the projection can be applied by appends. */
export type HandledEventOf<D extends AnyEventDefinition, I extends boolean = false> = I extends true
  ? AppendedEventOf<D>
  : EventOf<D>

export interface ProjectionOptions<
  D extends AnyEventDefinition,
  T extends Tables,
  I extends boolean = false,
> {
  /** Raised with every change of tables or reducers. A new version is built beside the live one. */
  readonly version: number
  /** Event types that the projection reads. */
  readonly events: readonly D[]
  readonly tables: T
  /**
   * Plain SQL that creates tables, or the URL of a file with it; their row types are given by `rows` in
   * `tables`. Run once a version with its schema as the only one in `search_path`, so names without a
   * schema; it may not end the transaction or make anything elsewhere. A change of the text is a change
   * of the tables: raise `version`.
   */
  readonly ddl?: string | URL
  /** Schema of the views on the live version. Default: the projection's name. */
  readonly schema?: string
  /**
   * What to do with an event that cannot be applied. Default `'stop'`: the projection stands still in front
   * of it. `'park'`: the event is parked, with all later events of the same key, and the rest goes on:
   * other keys, and other levels. The key is that of a fold's row, else the stream.
   */
  readonly onError?: OnError
  /** Events that may be parked before the projection stops after all. Default 1,000. */
  readonly maxParked?: number
  /**
   * Into how many parts its keys are divided, by hash, 1 to 64. Each is at a position of its own, and any
   * worker applies it: so several processes share the work. The tables can then have no unique constraints
   * but their keys, and no foreign keys. Taken when a version is made; `tidemark repartition` changes it
   * later. Default 1.
   */
  readonly partitions?: number
  /**
   * Whether appends may apply it, in their own transactions: see `Store.setMode`. Events have no positions
   * then, so handlers do not get any, whoever calls them. Default false.
   */
  readonly canBeInline?: I
}

/**
 * One row per key, reduced from events. `on` has a reducer for each event type: from the row (null
 * when there is none) and the event to the row's new values, or null to delete it. Pure.
 */
export interface Fold<D extends AnyEventDefinition, T extends Table, I extends boolean = false> {
  /** Narrows the fold to some of the projection's event types. Default: all of them. */
  readonly events?: readonly D[]
  /** The row that an event concerns; null for none. Pure. */
  readonly key: (event: HandledEventOf<D, I>) => Key<T> | null
  readonly on: {
    readonly [Type in EventOf<D>['type']]: (
      row: ReducedRow<T> | null,
      event: Extract<HandledEventOf<D, I>, { readonly type: Type }>,
    ) => Values<T> | null
  }
}

/** Refuses handlers of no event, and columns that are not there, which a function's result may have else. */
type OnlyColumns<O, On, T extends Table> = {
  readonly [Type in keyof O]: Type extends keyof On
    ? O[Type] extends (...args: never) => infer Result
      ? [Exclude<NamesIn<Result>, keyof Row<T>>] extends [never]
        ? unknown
        : (...args: never) => {
            readonly [N in Exclude<NamesIn<Result>, keyof Row<T>>]: never
          }
      : unknown
    : never
}

/** The names of what an object, or one of several, has. */
type NamesIn<R> = R extends object ? keyof R : never

/** A fold without its types, as the engine runs it. */
export interface AnyFold {
  readonly table: string
  readonly key: (event: unknown) => Record<string, unknown> | null
  readonly on: Readonly<
    Record<string, (row: unknown, event: unknown) => Record<string, unknown> | null>
  >
}

/**
 * Handlers that are called once an event, in order, and return what to write: Kysely queries or SQL by
 * Kysely's `sql`, which then travel together. One that has to read first may be asynchronous, and then
 * costs a round trip. Besides the tables of the projection, name only those that never change.
 */
export interface Each<D extends AnyEventDefinition, T extends Tables, I extends boolean = false> {
  /** Narrows the handlers to some of the projection's event types. Default: all of them. */
  readonly events?: readonly D[]
  /** Events of different keys do not depend on each other. Default: the stream. Pure. */
  readonly key?: (event: HandledEventOf<D, I>) => string
  readonly on: {
    readonly [Type in EventOf<D>['type']]: (
      db: ProjectionWriter<T>,
      event: Extract<HandledEventOf<D, I>, { readonly type: Type }>,
    ) => Writes | Promise<Writes>
  }
}

/** The `each` level without its types, as its lane runs it. */
export interface AnyEach {
  readonly key: ((event: unknown) => string) | undefined
  readonly on: Readonly<Record<string, (db: unknown, event: unknown) => Writes | Promise<Writes>>>
}

/**
 * Is called once a chunk, and returns statements that apply all of its events at once. `events()` stands
 * for them in SQL, in place of a table. The fastest level: the events need not leave the server. Events
 * of different streams must not depend on each other.
 */
export type Batch<D extends AnyEventDefinition, T extends Tables, I extends boolean = false> = (
  db: ProjectionWriter<T>,
  events: BatchEvents<D, I>,
) => Writes

/** The `batch` level without its types, as its lane runs it. */
export type AnyBatch = (
  db: unknown,
  events: (...types: readonly string[]) => RawBuilder<unknown>,
) => Writes

/** A projection's definition. Plain data: nothing happens until a worker runs it. */
export interface Projection<
  D extends AnyEventDefinition = AnyEventDefinition,
  T extends Tables = Tables,
  I extends boolean = false,
> {
  readonly name: string
  readonly version: number
  readonly events: readonly D[]
  readonly tables: T
  readonly ddl?: string | URL
  /** Schema of the views on the live version. */
  readonly viewSchema: string
  readonly onError: OnError
  readonly maxParked: number
  /** Partitions of a version when it is made. */
  readonly partitions: number
  /** Whether appends may apply it: its handlers do without positions. */
  readonly canBeInline: I
  readonly folds: readonly AnyFold[]
  readonly eachLevel: AnyEach | null
  readonly batchLevel: AnyBatch | null
  readonly registry: EventRegistry

  /**
   * Adds a fold into one of the tables.
   *
   * @throws DEFINITION_INVALID when the table has no primary key, or no declared columns.
   */
  fold<
    N extends DeclaredNames<T>,
    F extends AnyEventDefinition = D,
    const O extends Fold<F, T[N], I>['on'] = Fold<F, T[N], I>['on'],
  >(
    table: N,
    fold: Omit<Fold<F, T[N], I>, 'on'> & {
      readonly on: O & OnlyColumns<O, Fold<F, T[N], I>['on'], T[N]>
    },
  ): Projection<D, T, I>

  /**
   * Adds handlers that write by queries, once an event.
   *
   * @throws DEFINITION_INVALID when the projection has such handlers already.
   */
  each<F extends AnyEventDefinition = D>(each: Each<F, T, I>): Projection<D, T, I>

  /**
   * Adds a handler that writes by queries, once a chunk.
   *
   * @throws DEFINITION_INVALID when the projection has one already.
   */
  batch(batch: Batch<D, T, I>): Projection<D, T, I>
}

/** Any projection, whatever its events and tables. */
export interface AnyProjection {
  readonly name: string
  readonly version: number
  readonly tables: Tables
  readonly ddl?: string | URL
  readonly viewSchema: string
  readonly onError: OnError
  readonly maxParked: number
  /** Partitions of a version when it is made. */
  readonly partitions: number
  /** Whether appends may apply it. */
  readonly canBeInline: boolean
  readonly folds: readonly AnyFold[]
  readonly eachLevel: AnyEach | null
  readonly batchLevel: AnyBatch | null
  readonly registry: EventRegistry
}

/**
 * Starts the definition of a projection.
 *
 * @throws DEFINITION_INVALID when a name or the version is not usable.
 */
export function projection<
  const D extends AnyEventDefinition,
  const T extends Tables,
  const I extends boolean = false,
>(name: string, options: ProjectionOptions<D, T, I>): Projection<D, T, I> {
  const viewSchema = options.schema ?? name
  for (const identifier of [name, viewSchema, ...Object.keys(options.tables)]) {
    requireIdentifier(name, identifier)
  }
  for (const table of Object.values(options.tables)) {
    for (const column of Object.keys(table.columns)) requireIdentifier(name, column)
  }
  const fault = faultOfTables(options.tables)
  if (fault !== undefined) throw invalid(name, fault)
  if (!Number.isInteger(options.version) || options.version < 1) {
    throw invalid(name, `version ${options.version} is not a whole number from 1`)
  }
  if (options.events.length === 0) throw invalid(name, 'it reads no events')
  const { version, events, tables, ddl, onError = 'stop', maxParked = defaultMaxParked } = options
  if (!Number.isInteger(maxParked) || maxParked < 0) {
    throw invalid(name, `maxParked ${maxParked} is not a whole number from 0`)
  }
  const { partitions = 1 } = options
  const unequal = faultOfPartitions(options.tables, partitions)
  if (unequal !== undefined) throw invalid(name, unequal)
  const canBeInline = (options.canBeInline ?? false) as I
  const limits = { onError, maxParked, partitions, canBeInline }
  const base = { name, version, events, tables, viewSchema, ...limits }
  return withLevels(
    { ...base, ...(ddl === undefined ? {} : { ddl }) },
    { folds: [], eachLevel: null, batchLevel: null },
  )
}

type Base<D extends AnyEventDefinition, T extends Tables, I extends boolean> = Pick<
  Projection<D, T, I>,
  | 'name'
  | 'version'
  | 'events'
  | 'tables'
  | 'ddl'
  | 'viewSchema'
  | 'onError'
  | 'maxParked'
  | 'partitions'
  | 'canBeInline'
>

type Levels = Pick<AnyProjection, 'folds' | 'eachLevel' | 'batchLevel'>

function withLevels<D extends AnyEventDefinition, T extends Tables, I extends boolean>(
  base: Base<D, T, I>,
  levels: Levels,
): Projection<D, T, I> {
  const { folds, eachLevel, batchLevel } = levels
  return {
    ...base,
    ...levels,
    registry: eventRegistry(base.events),
    fold: (table, fold) => {
      requirePrimaryKey(base.name, table, base.tables[table])
      if (folds.some((other) => other.table === table)) {
        throw invalid(
          base.name,
          `table "${table}" has two folds, which would not see each other's rows`,
        )
      }
      const { key, on } = fold as unknown as AnyFold
      refuseUnread(base, `the fold into "${table}"`, Object.keys(on))
      return withLevels(base, { ...levels, folds: [...folds, { table, key, on }] })
    },
    each: ({ key, on }) => {
      if (eachLevel !== null) throw invalid(base.name, 'it has `each` handlers already')
      refuseUnread(base, '`each`', Object.keys(on))
      return withLevels(base, { ...levels, eachLevel: { key, on } as unknown as AnyEach })
    },
    batch: (batch) => {
      if (batchLevel !== null) throw invalid(base.name, 'it has a `batch` handler already')
      return withLevels(base, { ...levels, batchLevel: batch as unknown as AnyBatch })
    },
  }
}

function refuseUnread(
  { name, events }: { readonly name: string; readonly events: readonly AnyEventDefinition[] },
  level: string,
  types: readonly string[],
): void {
  const unread = types.find((type) => !events.some((event) => event.type === type))
  if (unread === undefined) return
  throw invalid(name, `${level} handles "${unread}", which is not among its \`events\``)
}

function requirePrimaryKey(name: string, tableName: string, table: Table | undefined): void {
  const keys = Object.entries(table?.columns ?? {}).filter(([, column]) => column.spec.isPrimaryKey)
  const [odd] = keys.find(([, column]) => !column.spec.canBeKey) ?? []
  if (odd !== undefined) {
    throw invalid(
      name,
      `column "${odd}" of table "${tableName}" cannot be a key: its values have several spellings`,
    )
  }
  if (table === undefined) {
    throw invalid(name, `a fold needs declared columns, and \`tables\` has none of "${tableName}"`)
  }
  if (keys.length > 0) return
  throw invalid(name, `table "${tableName}" has no primary key: mark a column with primaryKey()`)
}

function requireIdentifier(name: string, identifier: string): void {
  if (/^[a-z][a-z0-9_]{0,49}$/.test(identifier) && !identifier.startsWith('pg_')) return
  throw invalid(
    name,
    `"${identifier}" is not a usable name: use a-z, 0-9 and _, at most 50 characters`,
  )
}

function invalid(name: string, reason: string): TidemarkError {
  return new TidemarkError('DEFINITION_INVALID', `projection "${name}": ${reason}`, {
    details: { name, reason },
  })
}
