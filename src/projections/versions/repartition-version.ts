import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import { transaction } from '../../db/transaction.ts'
import { pause } from '../../db/wait.ts'
import { requirePartitions } from '../../subscriptions/partitions/partition.ts'
import {
  concludeRepartition,
  requestRepartition,
} from '../../subscriptions/partitions/repartition.ts'
import { projectionSubscription } from '../lanes/projection-subscriber.ts'
import { requirePartitionable } from '../tables/check-partitions.ts'
import { readDivision } from './read-division.ts'
import { unknownProjection, unknownVersion } from './switch-version.ts'
import { listVersions, lockProjection, type ProjectionVersion } from './versions.ts'

export interface RepartitionOptions {
  /** Default: the live version. */
  readonly version?: number
  /** How long to wait until it has happened. Default 30,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface RepartitionResult {
  readonly projection: string
  readonly version: number
  /** Partitions that it has now. */
  readonly partitions: number
  /** Partitions that it is to have. Not the same: it happens when all stand at one position, or it is built. */
  readonly wanted: number
}

const defaults = { timeoutMs: 30_000 }
const lookMs = 50

/**
 * Divides the keys of a version into another number of partitions. The partitions in front wait for those
 * behind; when all stand at one position their number changes, in one transaction. Appends and reads do not
 * notice. Whoever calls it may be killed at any step: what was asked for happens when the partitions come
 * together, and is called off by asking for the number that there is.
 *
 * What a definition says counts when a version is made; after that this alone changes it, so that old and
 * new code which run at once do not undo each other's choice. A version that is being built gets its
 * number at the end.
 *
 * @throws OPTION_INVALID, PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN
 * @throws DEFINITION_INVALID when its tables have foreign keys or unique constraints besides their keys.
 */
export async function repartition(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  partitions: number,
  options: RepartitionOptions = {},
): Promise<RepartitionResult> {
  requirePartitions('partitions', partitions)
  const { timeoutMs = defaults.timeoutMs, signal = new AbortController().signal } = options
  const target = await transaction(pool, async (client) => {
    await lockProjection(client, names, name)
    const version = await chooseVersion(client, names, name, options.version)
    if (partitions > 1) await requirePartitionable(client, name, version.schemaName)
    await client.query(
      `update ${names.schema}.projections set partitions = $3 where name = $1 and version = $2`,
      [name, version.version, partitions],
    )
    if (version.state === 'building') return version
    await requestRepartition(client, names, projectionSubscription(version), partitions)
    return version
  })
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const state = await concludeRepartition(pool, names, projectionSubscription(target))
    const isOver = state !== 'waiting' || performance.now() >= deadline
    if (isOver || !(await pause(lookMs, signal))) return readResult(pool, names, target)
  }
}

async function chooseVersion(
  client: pg.ClientBase,
  names: LogNames,
  name: string,
  wanted: number | undefined,
): Promise<ProjectionVersion> {
  const versions = await listVersions(client, names, name)
  if (versions.length === 0) {
    const all = await listVersions(client, names)
    throw unknownProjection(name, [...new Set(all.map((version) => version.name))])
  }
  const found = versions.find(({ version, state }) =>
    wanted === undefined ? state === 'live' : version === wanted,
  )
  if (found === undefined) throw unknownVersion(name, wanted ?? 1)
  return found
}

async function readResult(
  pool: pg.Pool,
  names: LogNames,
  { name, version }: ProjectionVersion,
): Promise<RepartitionResult> {
  const division = await readDivision(pool, names, { name, version })
  if (division === undefined) throw unknownVersion(name, version)
  const { partitions, wanted } = division
  return { projection: name, version, partitions, wanted }
}
