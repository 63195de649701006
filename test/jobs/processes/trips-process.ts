// Runs trips in a process that dies at a failpoint, for tests.
import { onFailpoint } from '../../../src/core/failpoint.ts'
import { runWorker } from '../../../src/index.ts'
import { note, trips } from './trips.ts'

const { DATABASE_URL: connectionString = '', DIE_AT } = process.env
let [name, left] = [DIE_AT?.split(' ')[0], Number(DIE_AT?.split(' ')[1] ?? 0)]
onFailpoint((failpoint) => {
  if (failpoint !== name) return
  left -= 1
  if (left <= 0) process.kill(process.pid, 'SIGKILL')
})
const options = { connectionString, processes: [trips], tasks: [note], batchSize: 7 }
await runWorker(
  { ...options, mode: 'poll', pollIntervalMs: 50, jobTakeoverMs: 200 },
  new AbortController().signal,
)
