import { expect, test } from 'vitest'
import { createStore } from '../../src/worker/create-store.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { append, sequenceNow } from '../sequencer/ledger.ts'
import { createTestDatabase } from '../support/database.ts'
import { startPair } from './start-pair.ts'

/** Somebody else's transaction, which appends nothing. */
const stranger = 'select pg_current_xact_id()::text as id'

test('a token of an append that a failover lost is said to be of no commit', async () => {
  const { pool, separate, failOver, standby } = await startPair()
  await append(pool, 'kept')
  await separate()
  const lost = [await append(pool, 'lost'), await append(pool, 'lost'), await append(pool, 'lost')]
  const promoted = await failOver()
  await using store = await createStore({ connectionString: standby.connectionString, events: [] })
  const wait = (id: string | undefined) => store.waitFor(`1.${id}`, undefined, { timeoutMs: 1_000 })

  // Of an id that the promoted server has not given yet.
  await expect(wait(lost[2])).rejects.toMatchObject({ code: 'TRANSACTION_NOT_COMMITTED' })
  // And of one that it has given again, to another.
  const { rows } = await promoted.query(stranger)
  expect(lost).toContain(rows[0].id)
  await append(promoted, 'new')
  await sequenceNow(promoted)
  await expect(wait(rows[0].id)).rejects.toMatchObject({
    code: 'TRANSACTION_NOT_COMMITTED',
    details: { status: 'it has no events in the log' },
  })
})

test('a token of another incarnation is not held against transactions of this one', async () => {
  await using database = await createTestDatabase()
  const { pool, connectionString } = database
  const kept = await append(pool, 'kept')
  const { rows } = await pool.query(stranger)
  // As where the row came in by COPY: another transaction wrote it than it says.
  await pool.query("update tidemark.home set transaction_id = '3'")
  await migrate({ connectionString, jobSchema: false })
  await using store = await createStore({ connectionString, events: [] })
  const wait = (token: string) => store.waitFor(token, undefined, { timeoutMs: 300 })

  // It may be one of those that are still to be continued from the table.
  await expect(wait(`1.${kept}`)).rejects.toMatchObject({ code: 'WAIT_TIMED_OUT' })
  const position = await sequenceNow(pool)
  expect(await wait(`1.${kept}`)).toBe(position)
  const noCommit = { code: 'TRANSACTION_NOT_COMMITTED' }
  await expect(wait(`1.${rows[0].id}`)).rejects.toMatchObject(noCommit)
  await expect(wait(`3.${kept}`)).rejects.toMatchObject(noCommit)
})
