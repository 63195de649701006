// Does something with the versions of a projection in a process of its own, which dies at a failpoint.
import { onFailpoint } from '../../src/core/failpoint.ts'
import { createStore } from '../../src/index.ts'
import { indexed } from './indexed.ts'

const { DATABASE_URL = '', PROJECTION = '', ACTION = '', FAILPOINT, REACH = '1' } = process.env
let left = Number(REACH)
onFailpoint((name) => {
  if (name !== FAILPOINT) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
})

await using store = await createStore({ connectionString: DATABASE_URL })
const actions: Readonly<Record<string, () => Promise<unknown>>> = {
  rebuild: () => store.rebuild(indexed(PROJECTION, 2), { batchSize: 20 }),
  replay: () => store.replay(indexed(PROJECTION, 2), { from: 1n }),
  promote: () => store.promote(PROJECTION),
  rollback: () => store.rollback(PROJECTION),
  drop: () => store.drop(PROJECTION, 1),
}
await actions[ACTION]?.()
