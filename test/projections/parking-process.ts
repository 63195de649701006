// Applies or retries a projection in a process that dies at a failpoint, for tests.
import { onFailpoint } from '../../src/core/failpoint.ts'
import { createStore, runWorker } from '../../src/index.ts'
import { notesByLanes } from './poison.ts'

const { DATABASE_URL: connectionString = '', PROJECTION = '', POISON = '', DIE_AT } = process.env
const poison = new Set(POISON.split(',').map(Number))
const definition = notesByLanes(
  PROJECTION,
  { has: (n) => poison.has(n), by: 'throws' },
  { onError: 'park' },
)
let [name, left] = [DIE_AT?.split(' ')[0], Number(DIE_AT?.split(' ')[1] ?? 0)]
onFailpoint((failpoint) => {
  if (failpoint !== name) return
  left -= 1
  if (left <= 0) process.kill(process.pid, 'SIGKILL')
})
if (process.env.RETRY === undefined) {
  const options = { connectionString, projections: [definition], batchSize: 7, maxAttempts: 1 }
  await runWorker({ ...options, mode: 'poll', pollIntervalMs: 50 }, new AbortController().signal)
} else {
  await using store = await createStore({ connectionString })
  await store.parked.retry(definition)
}
