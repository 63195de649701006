import pg from 'pg'
import {
  createStore,
  type Logger,
  migrate,
  type RebuildResult,
  runWorker,
  type Store,
  silentLogger,
  type Token,
} from '../../src/index.ts'
import { type Answers, readAnswers } from './answers.ts'
import { findDifferences } from './check.ts'
import { allEvents } from './events.ts'
import { countCommits, readCommits } from './git-log.ts'
import { importCommits, importedCommits } from './import.ts'
import { createReviewTable, largeCommits, reviewCommit } from './large-commits.ts'
import type { DemoOptions } from './options.ts'
import type { Progress } from './progress.ts'
import { activity, contributors, contributorsV2, files } from './projections.ts'
import type { DemoFigures } from './report.ts'
import { repositoryId } from './repository-id.ts'
import { reviewDifferences } from './reviews.ts'
import { compareAndSwitch, removeOldVersion, untilLive } from './versions.ts'

export interface DemoResult {
  readonly answers: Answers
  readonly figures: DemoFigures
  /** What does not agree with git, a line each. Empty when all is well. */
  readonly differences: readonly string[]
}

interface Demo {
  readonly store: Store
  readonly pool: pg.Pool
  readonly repository: string
  readonly id: string
  readonly options: DemoOptions
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** Warnings of the worker are shown; the rest would disturb the bars. */
const logger: Logger = {
  ...silentLogger,
  warn: (_fields, message) => console.error(`warning: ${message}`),
  error: (_fields, message) => console.error(`error: ${message}`),
}

/** Runs the main job of tidemark on a git repository: migrate, append, project, rebuild, check. */
export async function runDemo(
  connectionString: string,
  repository: string,
  options: DemoOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<DemoResult> {
  const { schema } = options
  const { warnings } = await migrate({ connectionString, schema })
  for (const warning of warnings) console.error(`warning: ${warning}`)
  await using store = await createStore({ connectionString, schema, events: allEvents })
  const pool = new pg.Pool({ connectionString, max: 2 })
  pool.on('error', () => {})
  await pool.query(createReviewTable)

  const stop = new AbortController()
  const worker = runWorker(
    {
      connectionString,
      schema,
      logger,
      projections: [contributors, contributorsV2, files, activity],
      reactors: [largeCommits(options.largeLines)],
      tasks: [reviewCommit],
      pollIntervalMs: 250,
    },
    stop.signal,
  )
  worker.catch(() => {})
  try {
    const id = await repositoryId(repository, options.limit)
    const demo = { store, pool, repository, id, options, progress, signal }
    return await Promise.race([runAgainst(demo), failureOf(worker)])
  } finally {
    stop.abort()
    await worker
    await store.dropSlots()
    await pool.end()
  }
}

async function runAgainst(demo: Demo): Promise<DemoResult> {
  const { store, pool, repository, id, options } = demo
  await removeOldVersion(store)
  await untilLive(store, demo.signal)
  const imported = await importWithRebuild(demo)
  const versionDifferences = await compareAndSwitch(store, id, imported.token)
  const answers = await readAnswers(store, id, imported.token)
  const { largeLines, schema } = options
  const reviews = await reviewDifferences(store, pool, id, imported.token, largeLines, schema)
  const { position } = await store.status()
  const figures = {
    repo: repository,
    commits: imported.commits,
    events: imported.events,
    largeCommits: reviews.count,
    seconds: { import: imported.seconds, rebuild: imported.rebuild.durationMs / 1_000 },
  }
  const differences = [
    ...versionDifferences,
    ...(await findDifferences(repository, options.limit, answers)),
    ...reviews.differences,
    ...(await sequencedDifferences(pool, schema, position)),
  ]
  return { answers, figures, differences }
}

interface Imported {
  readonly commits: number
  readonly events: number
  readonly seconds: number
  readonly token: Token | undefined
  readonly rebuild: RebuildResult
}

/** Imports the commits that are not in the log yet; begins the rebuild when half of all are in. */
async function importWithRebuild(demo: Demo): Promise<Imported> {
  const { store, repository, id, options, progress, signal } = demo
  const total = await countCommits(repository, options.limit)
  const done = await importedCommits(store, id)
  const half = Math.max(Number(done), Math.floor(total / 2))
  const bar = progress.line('import', total)
  const began = performance.now()
  let count = Number(done)
  let rebuilding: Promise<RebuildResult> | undefined
  const rebuildAtHalf = () => {
    if (count < half || rebuilding !== undefined) return
    rebuilding = rebuildBeside(demo)
    rebuilding.catch(() => {})
  }
  rebuildAtHalf()
  const limit = options.limit === undefined ? {} : { limit: options.limit }
  const commits = skip(readCommits(repository, { ...limit, signal }), count)
  const imported = await importCommits(store, id, commits, done, () => {
    count += 1
    bar.update(count)
    rebuildAtHalf()
  })
  bar.stop()
  const seconds = (performance.now() - began) / 1_000
  const rebuild = await (rebuilding ?? rebuildBeside(demo))
  return { ...imported, commits: count, seconds, rebuild }
}

async function rebuildBeside({ store, progress, signal }: Demo): Promise<RebuildResult> {
  const bar = progress.line('rebuild', 1)
  const result = await store.rebuild(contributorsV2, {
    signal,
    onProgress: ({ position, head }) => bar.update(Number(position), Number(head)),
  })
  bar.stop()
  return result
}

async function* skip<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let index = 0
  for await (const item of items) {
    index += 1
    if (index > count) yield item
  }
}

async function sequencedDifferences(
  pool: pg.Pool,
  schema: string,
  position: bigint,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ events: string }>(
    `select count(*)::text as events from ${schema}.events`,
  )
  const events = BigInt(rows[0]?.events ?? 0)
  return events === position ? [] : [`the log holds ${events} events, ${position} have a position`]
}

async function failureOf(worker: Promise<void>): Promise<never> {
  await worker
  throw new Error('the worker stopped')
}
