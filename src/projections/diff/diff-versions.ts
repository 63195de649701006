import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { cancellable } from '../../db/cancellable.ts'
import type { LogNames } from '../../db/log-names.ts'
import {
  noneInState,
  stateInvalid,
  unknownProjection,
  unknownVersion,
} from '../versions/switch-version.ts'
import { listVersions, type ProjectionVersion } from '../versions/versions.ts'
import { atOnePosition } from './at-one-position.ts'
import { readComparable } from './comparable-tables.ts'
import { compareByQuery, type QueryDiff } from './compare-by-query.ts'
import { compareTables, type TableDiff } from './compare-tables.ts'

export interface DiffOptions {
  /** Version to compare. Default: the live one. */
  readonly from?: number
  /** Version to compare it with. Default: the newest that is ready or standing by. */
  readonly to?: number
  /** Columns to leave out, as `column` or `table.column`. */
  readonly ignore?: readonly string[]
  /**
   * A query whose rows are the differences, instead of the comparison row by row. `{from}` and `{to}` stand
   * for the schemas of the two versions: `select … from {from}.orders full join {to}.orders …`.
   */
  readonly sql?: string
  /** Rows to show of each table. Default 5. */
  readonly samples?: number
  /** How long to wait until both versions are at one position. Default 30,000. */
  readonly timeoutMs?: number
  /** Stops at once. */
  readonly signal?: AbortSignal
}

export interface DiffResult {
  readonly projection: string
  readonly from: number
  readonly to: number
  /** Both versions have applied exactly the events up to here. */
  readonly position: bigint
  /** After which position the events of each begin; 0: they have the whole log. */
  readonly startPositions: { readonly from: bigint; readonly to: bigint }
  /** Whether no row that was compared differs. */
  readonly isSame: boolean
  /** Each table that both versions have. Empty when `sql` was given. */
  readonly tables: readonly TableDiff[]
  /** Tables that one version alone has. They are not compared. */
  readonly tablesOnlyInFrom: readonly string[]
  readonly tablesOnlyInTo: readonly string[]
  /** What the query of `sql` found; null without. */
  readonly query: QueryDiff | null
}

const defaults = { samples: 5, timeoutMs: 30_000 }

/**
 * Compares two versions of a projection, row by row by key, at one position of the log: both have applied
 * the same events, so what differs is what the definitions make of them. Workers and appends go on. See
 * `atOnePosition` for how, and for the moment in which positions may be held back.
 *
 * All is read in one transaction that writes nothing. While it lasts the server keeps rows that were
 * deleted meanwhile, as with any long report.
 *
 * @throws PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN, PROJECTION_STATE_INVALID, OPTION_INVALID
 * @throws PROJECTION_BEHIND when the versions did not come to one position in time.
 * @throws OPERATION_CANCELLED
 */
export async function diffVersions(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  options: DiffOptions = {},
): Promise<DiffResult> {
  const samples = checkSamples(options.samples ?? defaults.samples)
  const { from, to } = await choosePair(pool, names, name, options)
  const { timeoutMs = defaults.timeoutMs, signal = new AbortController().signal } = options
  const pair = { name, from: from.version, to: to.version }
  return atOnePosition(pool, names, pair, { timeoutMs, signal }, async (client, position) => {
    const comparing = cancellable(pool, client, signal, () =>
      compareVersions(client, from, to, options, samples),
    )
    const compared = await orCancelled(comparing, `diff of projection "${name}"`, signal)
    const startPositions = { from: from.startPosition, to: to.startPosition }
    const versions = { from: from.version, to: to.version }
    return { projection: name, ...versions, position, startPositions, ...compared }
  })
}

type Compared = Omit<DiffResult, 'projection' | 'from' | 'to' | 'position' | 'startPositions'>

async function compareVersions(
  client: pg.ClientBase,
  from: ProjectionVersion,
  to: ProjectionVersion,
  { ignore = [], sql, signal }: DiffOptions,
  samples: number,
): Promise<Compared> {
  const schemas = { from: from.schemaName, to: to.schemaName }
  const { pairs, onlyInFrom, onlyInTo } = await readComparable(client, schemas, ignore)
  const query = sql === undefined ? null : await compareByQuery(client, schemas, sql, samples)
  const tables: TableDiff[] = []
  for (const pair of query === null ? pairs : []) {
    signal?.throwIfAborted()
    tables.push(await compareTables(client, schemas, pair, samples))
  }
  return {
    isSame: query === null ? tables.every(isSame) : query.rows === 0n,
    tables,
    tablesOnlyInFrom: onlyInFrom,
    tablesOnlyInTo: onlyInTo,
    query,
  }
}

function isSame({ differ, onlyInFrom, onlyInTo }: TableDiff): boolean {
  return differ + onlyInFrom + onlyInTo === 0n
}

async function choosePair(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  options: DiffOptions,
): Promise<{ readonly from: ProjectionVersion; readonly to: ProjectionVersion }> {
  const versions = await listVersions(pool, names, name)
  if (versions.length === 0) {
    const all = await listVersions(pool, names)
    throw unknownProjection(name, [...new Set(all.map((version) => version.name))])
  }
  const from = choose(name, versions, options.from, ['live'])
  const others = versions.filter(({ version }) => version !== from.version)
  const to = choose(name, options.to === from.version ? versions : others, options.to, [
    'ready',
    'standby',
    'live',
  ])
  if (to.version === from.version) throw twice(to.version)
  return { from, to }
}

function choose(
  name: string,
  versions: readonly ProjectionVersion[],
  wanted: number | undefined,
  states: readonly ProjectionVersion['state'][],
): ProjectionVersion {
  if (wanted === undefined) {
    const newest = versions.filter(({ state }) => states.includes(state)).at(-1)
    if (newest === undefined) throw noneInState(name, versions, states[0] ?? 'ready')
    return newest
  }
  const version = versions.find((one) => one.version === wanted)
  if (version === undefined) throw unknownVersion(name, wanted)
  if (version.state === 'building') throw stateInvalid(version, 'is still building: run rebuild')
  return version
}

function twice(version: number): TidemarkError {
  const reason = `version ${version} cannot be compared with itself`
  return new TidemarkError('OPTION_INVALID', `option "to": ${reason}`, {
    details: { option: 'to', reason },
  })
}

function checkSamples(samples: number): number {
  if (Number.isInteger(samples) && samples >= 0 && samples <= 10_000) return samples
  const reason = 'it is a whole number from 0 to 10,000'
  throw new TidemarkError('OPTION_INVALID', `samples ${samples} is not usable: ${reason}`, {
    details: { option: 'samples', reason },
  })
}

/** Says that it was stopped, when it was. */
async function orCancelled<T>(
  work: Promise<T>,
  operation: string,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!signal.aborted) throw error
    throw new TidemarkError('OPERATION_CANCELLED', `the ${operation} was stopped`, {
      details: { operation },
      cause: error,
    })
  }
}
