import type pg from 'pg'
import { afterAll } from 'vitest'
import type { TestDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

/** Drops the slot that the workers of a file leave for the next worker. */
export function dropSlotsAtEnd(database: TestDatabase): void {
  afterAll(async () => {
    await untilNobodyStreams(database.pool)
    await database.pool.query(/* sql */ `
      select pg_drop_replication_slot(slot_name)
      from pg_replication_slots
      where database = current_database()`)
  })
}

/** Waits until a worker streams from the database's slot. */
export async function untilStreaming(pool: pg.Pool): Promise<void> {
  await until('a worker to stream', async (saw) => {
    // A slot that is only being made is active, too.
    const { rows } = await pool.query(/* sql */ `
      select r.active
      from tidemark.sequencer as s
      left join pg_replication_slots as r on r.slot_name = s.slot_name`)
    saw(rows)
    return rows[0]?.active === true
  })
}

/** Waits until the server has noticed that the last worker is gone. */
export async function untilNobodyStreams(pool: pg.Pool): Promise<void> {
  await until('the slots to be free', async () => (await countActiveSlots(pool)) === 0)
}

async function countActiveSlots(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(/* sql */ `
    select from pg_replication_slots where database = current_database() and active`)
  return rows.length
}
