import type pg from 'pg'
import { expect, test } from 'vitest'
import { append } from '../sequencer/ledger.ts'
import { startPair } from './start-pair.ts'

const seat = [{ type: 'seat.taken', data: {}, tags: ['seat-1'] }]
const query = [{ tags: ['seat-1'] }]

async function take(pool: pg.Pool, streamId: string, after: string): Promise<unknown> {
  return pool
    .query("select tidemark.append($1, 'any', $2, null, $3)", [
      streamId,
      JSON.stringify(seat),
      JSON.stringify({ query, after }),
    ])
    .catch((error: unknown) => error)
}

test('a condition that was read before a failover does not hold after it', async () => {
  const { pool, separate, failOver } = await startPair()
  await append(pool, 'kept')
  await separate()
  const lost = [await append(pool, 'lost'), await append(pool, 'lost'), await append(pool, 'lost')]
  const { rows } = await pool.query('select tidemark.query_token() as after')

  const promoted = await failOver()
  // Its transaction id is one that the reader saw end on the server before.
  expect(lost).toContain(await append(promoted, 'somebody', seat))
  expect(await take(promoted, 'reader', rows[0].after)).toMatchObject({ code: 'TM010' })
  const { rows: again } = await promoted.query('select tidemark.query_token() as after')
  expect(await take(promoted, 'reader', again[0].after)).not.toBeInstanceOf(Error)
})
