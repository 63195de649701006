import type pg from 'pg'
import { pause } from '../db/wait.ts'
import type { NewSlot } from './slots.ts'

const visibilityPauseMs = 20

/**
 * Reads the snapshot that a new slot exported, as text, which stays valid for ever for the function
 * `pg_visible_in_snapshot`.
 */
export async function readSlotSnapshot(client: pg.ClientBase, slot: NewSlot): Promise<string> {
  await client.query('begin isolation level repeatable read')
  try {
    await client.query(`set transaction snapshot '${slot.snapshotName.replaceAll("'", "''")}'`)
    const { rows } = await client.query<{ snapshot: string }>(
      'select pg_current_snapshot()::text as snapshot',
    )
    return normalizeSnapshot(rows[0]?.snapshot ?? '')
  } finally {
    await client.query('rollback')
  }
}

/**
 * Raises a snapshot's xmax to its xmin where it is below. The server prints such a snapshot for a
 * slot made while nothing runs, and refuses to read it back.
 */
export function normalizeSnapshot(text: string): string {
  const match = /^(\d+):(\d+):(.*)$/.exec(text)
  if (match === null) throw new RangeError(`"${text}" is not a snapshot`)
  const [, xmin = '', xmax = '', running = ''] = match
  return BigInt(xmin) > BigInt(xmax) ? `${xmin}:${xmin}:${running}` : text
}

/** Waits until plain snapshots see all that the given one sees. */
export async function waitUntilVisible(
  client: pg.ClientBase,
  schema: string,
  snapshot: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ visible: boolean }>(
      `select ${schema}.snapshot_is_visible($1) as visible`,
      [snapshot],
    )
    if (rows[0]?.visible === true) return
    if (!(await pause(visibilityPauseMs, signal))) signal.throwIfAborted()
  }
}
