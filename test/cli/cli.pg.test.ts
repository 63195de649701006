import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd, untilNobodyStreams, untilStreaming } from './slots.ts'
import { runCli, runShell, startCli } from './spawn-cli.ts'
import { appendNumbers, foldNumbers, readSums, sumsConfig } from './sums-project.ts'

const database = useDatabase({ template: false })
dropSlotsAtEnd(database)

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': sumsConfig })
})
afterAll(() => project[Symbol.asyncDispose]())

function settings(env: Record<string, string> = {}) {
  const { connectionString } = database
  return { cwd: project.directory, env: { DATABASE_URL: connectionString, ...env } }
}

const tidemark = (args: string[], env?: Record<string, string>) => runCli(args, settings(env))

async function statusOf(): Promise<{ subscriptions: Record<string, unknown>[]; position: string }> {
  return JSON.parse((await tidemark(['status', '--json'])).stdout)
}

describe('from an empty database to a version that is dropped', () => {
  test('nothing is there before the migrations', async () => {
    for (const args of [['status'], ['promote', 'sums'], ['rebuild', 'sums'], ['worker']]) {
      const { code, stderr } = await tidemark([...args, '--json'])
      expect(code, args.join(' ')).toBe(3)
      expect(JSON.parse(stderr.trim().split('\n').at(-1) ?? '')).toEqual({
        error: {
          code: 'SCHEMA_NOT_INSTALLED',
          message: 'there is no tidemark log in schema "tidemark": run `tidemark migrate`',
          details: { schema: 'tidemark' },
        },
      })
    }
  })

  test('migrate installs the log, and then finds nothing to do', async () => {
    const first = await tidemark(['migrate', '--json'])
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(first.stdout)).toMatchObject({
      migrations: expect.arrayContaining(['000001_events']),
      warnings: [],
    })
    expect(await tidemark(['migrate'])).toEqual({
      code: 0,
      stdout: 'nothing to do: the log is up to date\n',
      stderr: '',
    })
  })

  test('status shows the empty log', async () => {
    expect(await tidemark(['status'])).toEqual({
      code: 0,
      stdout:
        'log "tidemark": position 0, mode wal\n' +
        'no worker leads: run `tidemark worker`\n' +
        'slot: none yet, the first worker makes it\n' +
        'no subscriptions yet\n',
      stderr: '',
    })
  })

  test('status needs no config file, and survives a reader that leaves', async () => {
    const { connectionString } = database
    const { code, stdout } = await runCli(['status', '--database-url', connectionString], {
      cwd: import.meta.dirname,
    })
    expect(code).toBe(0)
    expect(stdout).toContain('position 0')
    const piped = await runShell('($TIDEMARK status; echo "code $?" >&2) | true', settings())
    expect(piped.stderr).toBe('code 0\n')
  })

  test('worker runs the projection until SIGTERM, and exits with 0', async () => {
    await appendNumbers(database.connectionString, 300)
    await using worker = startCli(['worker', '--json'], settings())
    await until('the projection to catch up', async (saw) => {
      const [subscription] = (await statusOf()).subscriptions
      saw({ subscription, stderr: worker.stderr() })
      return subscription?.lag === '0'
    })
    await untilStreaming(database.pool)
    worker.child.kill('SIGTERM')
    const { code, stdout, stderr } = await worker.result
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ stoppedBy: 'SIGTERM' })
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines[0]).toMatchObject({ level: 'info', msg: 'worker starts', projections: ['sums 1'] })
    expect(lines.at(-1)).toMatchObject({ level: 'info', msg: 'worker stopped' })
    expect(await readSums(database.pool, 'sums')).toEqual(foldNumbers(300))
  })

  test('status shows the live version', async () => {
    const { stdout } = await tidemark(['status'])
    expect(stdout).toContain('log "tidemark": position 300, mode wal\nno worker leads')
    expect(stdout).toContain('\nslot "tidemark_')
    expect(stdout).toMatch(/│ projection │ sums +│ +1 │ live +│ +300 │ +0 │ active │/)
  })

  test('rebuild refuses what is live, and what nobody defined', async () => {
    const live = await tidemark(['rebuild', 'sums'])
    expect(live.code).toBe(4)
    expect(live.stderr).toMatch(/^error PROJECTION_STATE_INVALID: projection "sums" version 1 is/)
    const unknown = await tidemark(['rebuild', 'sum', '--json'])
    expect(unknown.code).toBe(4)
    expect(JSON.parse(unknown.stderr)).toEqual({
      error: {
        code: 'PROJECTION_UNKNOWN',
        message: 'there is no projection "sum"; known: "sums"',
        details: { projection: 'sum', known: ['sums'] },
      },
    })
    const version = await tidemark(['rebuild', 'sums', '--version', '9'])
    expect(version.code).toBe(4)
    expect(version.stderr).toMatch(/^error PROJECTION_VERSION_UNKNOWN: .*; known: 1\n$/)
  })

  test('rebuild builds the next version', async () => {
    const { code, stdout } = await tidemark(['rebuild', 'sums', '--json'], { VERSION: '2' })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      projection: 'sums',
      version: 2,
      state: 'ready',
      position: '300',
      startPosition: '0',
      durationMs: expect.any(Number),
    })
    expect(await readSums(database.pool, 'sums_v2')).toEqual(foldNumbers(300))
  })

  test('promote refuses a version that is behind, and a name that is not there', async () => {
    await appendNumbers(database.connectionString, 5)
    const behind = await tidemark(['promote', 'sums', '--max-lag', '4', '--json'])
    expect(behind.code).toBe(4)
    expect(JSON.parse(behind.stderr).error).toMatchObject({
      code: 'PROJECTION_BEHIND',
      details: { projection: 'sums', version: 2, lag: '5' },
    })
    const unknown = await tidemark(['promote', 'people'])
    expect(unknown.code).toBe(4)
    expect(unknown.stderr).toBe(
      'error PROJECTION_UNKNOWN: there is no projection "people"; known: "sums"\n',
    )
  })

  test('promote shows the next version, and rollback the one before', async () => {
    expect(await tidemark(['promote', 'sums', '--version', '2', '--lock-timeout', '200'])).toEqual({
      code: 0,
      stdout: 'projection "sums" shows version 2 now, instead of version 1, which stands by\n',
      stderr: '',
    })
    const back = await tidemark(['rollback', 'sums', '--json'])
    expect(back.code).toBe(0)
    expect(JSON.parse(back.stdout)).toEqual({ projection: 'sums', live: 1, before: 2 })
    const states = (await statusOf()).subscriptions.map(({ version, projectionState }) => [
      version,
      projectionState,
    ])
    expect(states).toEqual([
      [1, 'live'],
      [2, 'standby'],
    ])
  })

  test('drop removes a version, the live one only when told so', async () => {
    expect(await tidemark(['drop', 'sums', '--version', '2'])).toEqual({
      code: 0,
      stdout: 'projection "sums" version 2 is removed\n',
      stderr: '',
    })
    const live = await tidemark(['drop', 'sums', '--version', '1'])
    expect(live.code).toBe(4)
    expect(live.stderr).toMatch(/^error PROJECTION_STATE_INVALID: .*\n$/)
    const gone = await tidemark(['drop', 'sums', '--version', '1', '--live', '--json'])
    expect(gone.code).toBe(0)
    expect(JSON.parse(gone.stdout)).toEqual({ projection: 'sums', version: 1 })
    expect((await statusOf()).subscriptions).toEqual([])
  })

  test('drop-slots drops what the worker left, once', async () => {
    await untilNobodyStreams(database.pool)
    const dropped = await tidemark(['drop-slots'])
    expect(dropped).toMatchObject({ code: 0, stderr: '' })
    expect(dropped.stdout).toMatch(/^dropped slot "tidemark_[0-9a-f_]+"\n$/)
    const again = await tidemark(['drop-slots', '--json'])
    expect(JSON.parse(again.stdout)).toEqual({ dropped: [] })
    expect((await tidemark(['drop-slots'])).stdout).toBe('nothing to do: the log has no slot\n')
  })

  test('another schema holds another log', async () => {
    expect((await tidemark(['migrate', '--schema', 'second_log'])).code).toBe(0)
    const { stdout } = await tidemark(['status', '--schema', 'second_log', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ schema: 'second_log', position: '0' })
  })
})

describe('a server that cannot be used', () => {
  const commands = [['migrate'], ['status'], ['promote', 'sums'], ['rebuild', 'sums'], ['worker']]

  test.for(commands)('%s tells that nobody listens', async (args) => {
    const port = await closedPort()
    const url = `postgres://someone:secret@127.0.0.1:${port}/shop`
    const { code, stderr } = await tidemark([...args, '--database-url', url])
    expect(code).toBe(3)
    expect(stderr.trim().split('\n').at(-1)).toBe(
      `error CONNECTION_FAILED: cannot connect to 127.0.0.1:${port}/shop as "someone": ` +
        'no server listens there',
    )
    expect(stderr).not.toContain('secret')
  })

  test('tells that the database does not exist', async () => {
    const url = new URL(database.connectionString)
    url.pathname = '/no_such_database'
    const { code, stderr } = await tidemark(['status', '--database-url', url.href])
    expect(code).toBe(3)
    expect(stderr).toMatch(/^error CONNECTION_FAILED: .*: the database does not exist\n$/)
  })

  test('tells that the user may not read the log', async () => {
    const url = new URL(database.connectionString)
    url.searchParams.set('options', '-c role=pg_monitor')
    const { code, stderr } = await tidemark(['status', '--database-url', url.href])
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /^error PRIVILEGE_MISSING: this user may not use the log in schema "tidemark": .*\n$/,
    )
  })

  test('tells that a schema holds something else', async () => {
    await using foreign = await createTestDatabase({ template: false })
    await foreign.pool.query('create schema tidemark; create table tidemark.mine (id integer)')
    const { code, stderr } = await tidemark(['migrate', '--database-url', foreign.connectionString])
    expect(code).toBe(4)
    expect(stderr).toMatch(/^error SCHEMA_FOREIGN: schema "tidemark" exists .*\n$/)
  })
})

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
