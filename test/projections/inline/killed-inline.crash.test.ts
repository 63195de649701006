import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { listVersions } from '../../../src/projections/versions/versions.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { names, untilApplied } from '../fixtures.ts'
import { Added, byFoldAndBatch } from '../levels.ts'
import { expectExact, foldLog, openStore, rowsOf, startWorker, untilSequenced } from './fixtures.ts'

const first = byFoldAndBatch('sums')
const second = { ...byFoldAndBatch('sums'), version: 2 }

async function ownDatabase(): Promise<TestDatabase> {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own
}

function start(own: TestDatabase, action: string, failpoint?: string): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'inline-process.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: own.connectionString,
      ACTION: action,
      ...(failpoint === undefined ? {} : { FAILPOINT: failpoint }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** @returns the signal that ended the process, or else its exit code. */
async function endOf(child: ChildProcess): Promise<string | number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.signalCode ?? child.exitCode
}

const run = (own: TestDatabase, action: string, failpoint?: string) =>
  endOf(start(own, action, failpoint))

/** Each version with its state, who applies it, and the state of its checkpoint. */
async function states(own: TestDatabase): Promise<string[]> {
  const versions = await listVersions(own.pool, names, 'sums')
  const { rows } = await own.pool.query(
    "select version, state from tidemark.subscriptions where kind = 'projection'",
  )
  const states = new Map(rows.map(({ version, state }) => [version, state]))
  return versions.map(
    ({ version, state, isInline }) =>
      `${version} ${state} ${isInline ? 'inline' : 'async'} ${states.get(version)}`,
  )
}

/** The connection of a process that was killed may be at work for a moment longer. */
async function untilGone(own: TestDatabase): Promise<void> {
  await until('what was killed to be gone from the server', async (saw) => {
    const { rows } = await own.pool.query(
      `select query from pg_stat_activity
       where datname = current_database() and application_name = 'tidemark store'
         and state <> 'idle' and pid <> pg_backend_pid()`,
    )
    saw(rows)
    return rows.length === 0
  })
}

/** Events that are there twice, or in part. */
async function countEvents(own: TestDatabase): Promise<number> {
  const { rows } = await own.pool.query('select count(*)::integer as n from tidemark.events')
  return rows[0].n
}

/** Both versions are what a fold over the log gives, and so is the level that counts streams. */
async function expectWhole(own: TestDatabase, versions: readonly number[]): Promise<void> {
  await untilSequenced(own.pool)
  for (const version of versions) {
    const { rows } = await own.pool.query(
      "select from tidemark.subscriptions where version = $1 and state = 'inline'",
      [version],
    )
    if (rows.length === 0) await untilApplied(own.pool, { name: 'sums', version })
    await expectExact(own.pool, `sums_v${version}`)
    const counts = await own.pool.query(
      `select key, n::integer from sums_v${version}.counts order by key collate "C"`,
    )
    const removed = await own.pool.query(
      `select stream_id as key, count(*)::integer as n from tidemark.events
       where type = 'removed' group by stream_id order by stream_id`,
    )
    expect(counts.rows).toEqual(removed.rows)
  }
  const debts = await own.pool.query('select from tidemark.inline_debts')
  expect(debts.rows).toEqual([])
}

test('whoever is killed at any step of a switch has changed nothing, and all is applied once', async () => {
  const own = await ownDatabase()
  const store = await openStore(own, [first, second])
  startWorker(own, [first, second])
  let amount = 0
  const append = async () => {
    for (const key of ['a', 'b']) {
      amount += 1
      await store.append(`s-${amount % 3}`, Added({ key, amount }))
    }
  }
  await until('the version', async () => (await store.status()).subscriptions.length > 0)
  await append()

  const async = ['1 live async active']
  const inline = ['1 live inline inline']
  for (const [action, steps, before, after] of [
    ['inline', ['inline-guarded', 'inline-switched'], async, inline],
    ['async', ['inline-switched'], inline, async],
    ['inline', ['inline-switched'], async, inline],
  ] as const) {
    for (const failpoint of steps) {
      expect(await run(own, action, failpoint)).toBe('SIGKILL')
      await untilGone(own)
      expect(await states(own), failpoint).toEqual(before)
      await append()
      await expectWhole(own, [1])
    }
    expect(await run(own, action)).toBe(0)
    expect(await states(own)).toEqual(after)
    await append()
    await expectWhole(own, [1])
  }

  await store.rebuild(second)
  const [ready, live, standby] = [
    ['1 live inline inline', '2 ready async active'],
    ['1 standby async active', '2 live inline inline'],
    ['1 live inline inline', '2 standby async active'],
  ]
  const steps = ['version-switched', 'inline-switched', 'views-switched']
  for (const [action, failpoints, before, after] of [
    ['promote', ['inline-guarded', ...steps], ready, live],
    ['rollback', steps, live, standby],
    ['promote', steps, standby, live],
  ] as const) {
    for (const failpoint of failpoints) {
      expect(await run(own, action, failpoint)).toBe('SIGKILL')
      await untilGone(own)
      expect(await states(own), failpoint).toEqual(before)
      await append()
      await expectWhole(own, [1, 2])
    }
    expect(await run(own, action)).toBe(0)
    expect(await states(own)).toEqual(after)
    await append()
    await expectWhole(own, [1, 2])
  }
}, 240_000)

test.each(['append', 'group', 'many', 'within', 'import'])(
  'whoever is killed while he appends inline has written neither event nor row: %s',
  async (action) => {
    const own = await ownDatabase()
    const store = await openStore(own, [first])
    await store.setMode(first, 'inline')
    startWorker(own, [])
    await store.append('s-1', Added({ key: 'a', amount: 1 }))
    for (const failpoint of ['inline-owed', 'inline-applied']) {
      expect(await run(own, action, failpoint)).toBe('SIGKILL')
      await untilGone(own)
      expect(await countEvents(own), failpoint).toBe(1)
      await expectWhole(own, [1])
    }
    expect(await run(own, action)).toBe(0)
    expect(await countEvents(own)).toBeGreaterThan(1)
    await expectWhole(own, [1])
    expect((await foldLog(own.pool)).length).toBe((await rowsOf(own.pool, 'sums_v1')).length)
  },
  120_000,
)

test('whoever is killed at any moment has appended wholly what he was told of, and nothing in part', async () => {
  const own = await ownDatabase()
  const store = await openStore(own, [first])
  await store.setMode(first, 'inline')
  startWorker(own, [])
  for (const appends of [1, 2, 5, 9, 14, 20]) {
    const child = start(own, 'forEver')
    const [began, ended] = [new Set<string>(), new Set<string>()]
    const lines = createInterface({ input: child.stdout ?? expect.fail() })
    lines.on('line', (line) => {
      const [word, id = ''] = line.split(' ')
      const set = word === 'began' ? began : ended
      set.add(id)
      if (ended.size === appends) child.kill('SIGKILL')
    })
    const closed = once(lines, 'close')
    expect(await endOf(child)).toBe('SIGKILL')
    await closed
    await untilGone(own)
    const { rows } = await own.pool.query<{ ids: string[] }>(
      /* sql */ `
      select array_agg(event_id::text order by version) as ids
      from tidemark.events
      where event_id = any ($1) or stream_id like $2
      group by stream_id, transaction_id, (version - 1) / 2`,
      [[...began], `killed-${child.pid}-%`],
    )
    const written = new Set(rows.map(({ ids }) => ids[0]))
    // Each append has two events.
    for (const { ids } of rows) expect(ids).toHaveLength(2)
    for (const id of ended) expect(written).toContain(id)
    for (const id of written) expect(began).toContain(id)
    await expectWhole(own, [1])
  }
}, 120_000)
