import { expect, test } from 'vitest'
import { diagnose } from '../../src/worker/doctor/diagnose.ts'
import { useDatabase } from '../support/database.ts'
import { startPooler } from './pooler/start-pooler.ts'

const database = useDatabase()

async function examine(connectionString: string) {
  const { findings } = await diagnose({ connectionString, graceMs: 1 })
  return findings.filter(({ check }) => check === 'pooler')
}

test('a direct connection is told from one through a pooler', async () => {
  expect(await examine(database.connectionString)).toEqual([
    { check: 'pooler', severity: 'ok', reason: 'the connection is direct', remedy: null },
  ])
})

test.for([
  ['session', 'a pooler or proxy stands between client and server'],
  [
    'transaction',
    'a pooler stands between that gives sessions away between transactions: advisory locks and ' +
      'notifications are lost',
  ],
] as const)('a pooler of %ss is found', async ([pooling, reason]) => {
  await using pooler = await startPooler(database.connectionString, pooling)
  expect(await examine(pooler.connectionString)).toEqual([
    {
      check: 'pooler',
      severity: 'warning',
      reason,
      remedy: expect.stringContaining('give workers a direct connection'),
    },
  ])
})
