import { setTimeout as pause } from 'node:timers/promises'
import type { LogStatus, Row, Store, Token } from '../../src/index.ts'
import { contributors, contributorsV2 } from './projections.ts'

/** Removes what an earlier run left, so that version 2 can be rebuilt again. */
export async function removeOldVersion(store: Store): Promise<void> {
  const { subscriptions } = await store.status()
  const version2 = subscriptions.find((row) => row.name === 'contributors' && row.version === 2)
  if (version2 === undefined) return
  if (version2.projectionState === 'live') await store.rollback('contributors')
  await store.drop('contributors', 2)
}

/** Waits until the worker shows a version: what is built before that becomes the first, and live. */
export async function untilLive(store: Store, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { subscriptions } = await store.status()
    if (subscriptions.some(isLiveContributors)) return
    await pause(50, undefined, { signal })
  }
}

function isLiveContributors(row: LogStatus['subscriptions'][number]): boolean {
  return row.name === 'contributors' && row.projectionState === 'live'
}

/**
 * Compares both versions at one position, promotes the new one, rolls back and promotes again.
 *
 * @returns one line per difference.
 */
export async function compareAndSwitch(
  store: Store,
  repository: string,
  after: Token | undefined,
): Promise<readonly string[]> {
  const wait = after === undefined ? {} : { after, timeoutMs: 120_000 }
  const live = await store.query(contributors, { ...wait, from: 'defined' })
  const beside = await store.query(contributorsV2, { ...wait, from: 'defined' })
  const rows = await live
    .selectFrom('contributors')
    .select(compared)
    .where('repository', '=', repository)
    .execute()
  const rowsBeside = await beside
    .selectFrom('contributors')
    .select(compared)
    .where('repository', '=', repository)
    .execute()
  const differences = compareRows(rows, rowsBeside)
  await store.promote('contributors')
  await store.rollback('contributors')
  await store.promote('contributors')
  return differences
}

const compared = ['author_id', 'commits', 'additions', 'deletions', 'first_at', 'last_at'] as const

type ComparedRow = Pick<Row<typeof contributors.tables.contributors>, (typeof compared)[number]>

function compareRows(live: readonly ComparedRow[], beside: readonly ComparedRow[]): string[] {
  const one = new Map(live.map((row) => [row.author_id, describe(row)]))
  const two = new Map(beside.map((row) => [row.author_id, describe(row)]))
  return [...new Set([...one.keys(), ...two.keys()])]
    .filter((id) => one.get(id) !== two.get(id))
    .map(
      (id) => `versions differ for ${JSON.stringify(id)}: 1 has ${one.get(id)}, 2 ${two.get(id)}`,
    )
}

function describe({ author_id: _, ...row }: ComparedRow): string {
  return Object.values(row)
    .map((value) => (value instanceof Date ? value.toISOString() : String(value)))
    .join(' ')
}
