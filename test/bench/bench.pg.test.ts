import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { useDatabase } from '../support/database.ts'
import { queryOnce } from '../support/query-once.ts'

const program = join(import.meta.dirname, '../../bench/main.ts')
// The databases of the benchmarks are named after this one, so that they are this run's too.
const database = useDatabase()

function bench(...args: string[]) {
  return promisify(execFile)(process.execPath, [program, ...args])
}

test('writes what it measured as JSON and leaves no database behind', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-bench-'))
  try {
    const file = join(directory, 'results.json')
    const { stdout } = await bench(
      ...['append/1', 'projection/fold-1k', '--json', file],
      ...['--database-url', database.connectionString],
      ...['--seconds', '0.3', '--runs', '1', '--events', '2000'],
    )
    expect(stdout).toContain('append/1')
    const positive = expect.toSatisfy((value) => value > 0)
    const json: unknown = JSON.parse(await readFile(file, 'utf8'))
    expect(json).toEqual({
      machine: {
        cpu: expect.any(String),
        cores: positive,
        memoryBytes: positive,
        os: expect.any(String),
      },
      versions: {
        node: process.versions.node,
        postgres: expect.stringMatching(/^\d+\.\d+/),
        tidemark: expect.stringMatching(/^\d+\.\d+\.\d+/),
        pg: expect.stringMatching(/^\d+\.\d+\.\d+/),
      },
      results: [
        {
          name: 'append/1',
          rate: positive,
          unit: 'events/s',
          ratio: positive,
          against: 'raw insert, 1 writer',
          p50Ms: positive,
          p99Ms: positive,
          peakMemoryMb: null,
          retainedWalMb: null,
        },
        {
          name: 'projection/fold-1k',
          rate: positive,
          unit: 'events/s',
          ratio: positive,
          against: 'read without fold',
          p50Ms: null,
          p99Ms: null,
          peakMemoryMb: null,
          retainedWalMb: null,
        },
      ],
    })
  } finally {
    await rm(directory, { recursive: true })
  }
  const left = await queryOnce(
    database.connectionString,
    'select datname from pg_database where starts_with(datname, $1)',
    [`${database.name}_bench`],
  )
  expect(left).toEqual([])
})

test('measures imports', async () => {
  const { stdout } = await bench(
    ...['append/import', '--database-url', database.connectionString],
    ...['--seconds', '0.2', '--runs', '1'],
  )
  expect(stdout).toMatch(/append\/import.*events\/s.*one raw COPY/)
})

test('measures conditions in a small log and in one as large as is asked for', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-bench-'))
  try {
    const file = join(directory, 'results.json')
    await bench(
      ...['append/condition', '--json', file, '--database-url', database.connectionString],
      ...['--seconds', '0.3', '--runs', '1', '--tagged-events', '20001'],
    )
    const { results } = JSON.parse(await readFile(file, 'utf8')) as { results: unknown[] }
    const positive = expect.toSatisfy((value) => value > 0)
    const row = { rate: positive, unit: 'events/s', ratio: positive }
    const times = { p50Ms: positive, p99Ms: positive, peakMemoryMb: null, retainedWalMb: null }
    expect(results).toEqual(
      [
        ['append/condition', 'without a condition, 20,001 events'],
        ['append/condition-10k', 'without a condition, 10,000 events'],
        ['append/condition-growth', 'with a condition, 10,000 events'],
      ].map(([name, against]) => ({ name, ...row, against, ...times })),
    )
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('compares with Emmett where it is installed, and is skipped elsewhere', async () => {
  const peers = join(import.meta.dirname, '../../bench/peers/node_modules')
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-bench-'))
  try {
    const file = join(directory, 'results.json')
    const { stderr } = await bench(
      ...['append/emmett', '--json', file, '--database-url', database.connectionString],
      ...['--seconds', '0.3', '--runs', '1'],
    )
    const { results } = JSON.parse(await readFile(file, 'utf8')) as { results: unknown[] }
    if (existsSync(peers)) {
      const positive = expect.toSatisfy((value) => value > 0)
      const peaks = { peakMemoryMb: null, retainedWalMb: null }
      const rates = { rate: positive, unit: 'events/s', p50Ms: positive, p99Ms: positive, ...peaks }
      const against = expect.stringMatching(/^Emmett \d+\.\d+\.\d+, 32 writers$/)
      expect(results).toEqual([
        { name: 'append/emmett', ...rates, ratio: positive, against },
        { name: 'append/emmett-itself', ...rates, ratio: null, against: null },
      ])
    } else {
      expect(stderr).toContain('append/emmett: skipped')
      expect(results).toEqual([])
    }
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('compares catching up with Emmett where it is installed, and is skipped elsewhere', async () => {
  const peers = join(import.meta.dirname, '../../bench/peers/node_modules')
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-bench-'))
  try {
    const file = join(directory, 'results.json')
    const { stderr } = await bench(
      ...['projection/emmett', '--json', file, '--database-url', database.connectionString],
      ...['--runs', '1', '--events', '1500'],
    )
    const { results } = JSON.parse(await readFile(file, 'utf8')) as { results: unknown[] }
    if (existsSync(peers)) {
      const positive = expect.toSatisfy((value) => value > 0)
      const none = { p50Ms: null, p99Ms: null, peakMemoryMb: null, retainedWalMb: null }
      const rates = { rate: positive, unit: 'events/s', ratio: positive, ...none }
      const against = (how: string) =>
        expect.stringMatching(new RegExp(`^Emmett \\d+\\.\\d+\\.\\d+, ${how}, of 1,500 events$`))
      expect(results).toEqual([
        { name: 'projection/emmett', ...rates, against: against('tuned') },
        { name: 'projection/emmett-defaults', ...rates, against: against('by default') },
        { name: 'projection/emmett-itself', ...rates, ratio: null, against: null },
      ])
    } else {
      expect(stderr).toContain('projection/emmett: skipped')
      expect(results).toEqual([])
    }
  } finally {
    await rm(directory, { recursive: true })
  }
}, 120_000)

test('refuses a name that no benchmark has in one line, with exit code 2', async () => {
  const failure = await bench('append/9').catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 2, stdout: '' })
  expect((failure as { stderr: string }).stderr).toMatch(
    /^no benchmark is named "append\/9"; there are: append\/1, .*\n$/,
  )
})

test('measures the sequencer', async () => {
  const { stdout } = await bench(
    ...['sequencer/latency-1k', 'sequencer/decode', '--database-url', database.connectionString],
    ...['--seconds', '0.3', '--runs', '1', '--events', '2000'],
  )
  expect(stdout).toMatch(/sequencer\/latency-1k .* appends\/s/)
  expect(stdout).toMatch(
    /sequencer\/decode .* commits\/s .* decoded by pg-logical-replication alone/,
  )
}, 60_000)
