// Changes or builds partitions in a process of its own, which dies at a failpoint.
import { onFailpoint } from '../../src/core/failpoint.ts'
import { createStore } from '../../src/index.ts'
import { counts } from './counts.ts'

const { DATABASE_URL = '', PROJECTION = '', ACTION = '', COUNT = '1' } = process.env
const { FAILPOINT, REACH = '1' } = process.env
let left = Number(REACH)
onFailpoint((name) => {
  if (name !== FAILPOINT) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
})

await using store = await createStore({ connectionString: DATABASE_URL })
const count = Number(COUNT)
const actions: Readonly<Record<string, () => Promise<unknown>>> = {
  repartition: () => store.repartition(PROJECTION, count),
  rebuild: () => store.rebuild(counts(PROJECTION, 2), { batchSize: 20, parallel: count }),
  join: () => store.rebuild(counts(PROJECTION, 2), { batchSize: 20 }),
}
await actions[ACTION]?.()
