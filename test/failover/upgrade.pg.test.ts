import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { EmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { chooseServerAccount } from '../../src/testing/server-account.ts'
import { migrate } from '../../src/worker/migrate.ts'
import {
  append,
  dropLogSlots,
  findFaults,
  readLedger,
  untilSequenced,
} from '../sequencer/ledger.ts'
import { startSequencer } from '../sequencer/start-sequencer.ts'
import { isRunning } from '../support/child-processes.ts'
import { queryOnce } from '../support/query-once.ts'
import { until } from '../support/until.ts'
import { startServerOfTools, tool, tools } from './server-tools.ts'
import { openPool } from './start-pair.ts'

/** Shuts a server down and leaves its files. */
async function shutDown(server: EmbeddedPostgres): Promise<void> {
  process.kill(server.pid, 'SIGINT')
  await until('the server to end', async () => !(await isRunning(server.pid)))
}

/** Takes the files of the old server over into the new one, as pg_upgrade does between two versions. */
async function upgrade(old: EmbeddedPostgres, next: EmbeddedPostgres): Promise<void> {
  const { password } = new URL(old.connectionString)
  await queryOnce(next.connectionString, `alter role postgres password '${password}'`)
  await shutDown(old)
  await shutDown(next)
  const bin = dirname(tool('pg_upgrade'))
  const args = ['-b', bin, '-B', bin, '-d', old.dataDirectory, '-D', next.dataDirectory]
  await promisify(execFile)(tool('pg_upgrade'), [...args, '--username=postgres'], {
    ...(await chooseServerAccount()),
    cwd: dirname(next.dataDirectory),
    env: { ...process.env, PGPASSWORD: password },
  })
  await next.restart()
}

test.skipIf(tools === undefined)(
  'after pg_upgrade the log takes appends at once, and goes on in a new incarnation',
  async () => {
    const [old, next] = [await startServerOfTools(), await startServerOfTools()]
    await migrate({ connectionString: old.connectionString, jobSchema: false })
    const before = openPool(old.connectionString)
    await using first = startSequencer({ connectionString: old.connectionString })
    await untilSequenced(before, await append(before, 'old', 3))
    await first.stop()
    await append(before, 'old-unsequenced', 2)
    const ledger = await readLedger(before)
    await dropLogSlots(old.connectionString)

    await upgrade(old, next)
    const url = new URL(old.connectionString)
    url.port = String(next.port)
    const pool = openPool(url.href)
    // Transaction ids go on, so that these are no others than they say.
    await append(pool, 'early', 2)
    await using second = startSequencer({ connectionString: url.href })
    await second.untilLeading()
    await untilSequenced(pool, await append(pool, 'old'))

    const after = await readLedger(pool)
    expect(after.slice(0, ledger.length)).toEqual(ledger)
    expect(after.map(({ incarnation }) => incarnation)).toEqual([1, 1, 1, 2])
    expect(await findFaults(pool)).toEqual([])
  },
  60_000,
)
